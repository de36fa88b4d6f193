// Sealed boxes in the browser: the counterpart of vault/intake.py, with WebCrypto alone. Uses no DOM.

const SALT = "bgresearch sealed box v1: salt";
const BOX_INFO = "bgresearch sealed box v1: AES-256-GCM key";
const REPLY_INFO = "bgresearch sealed box v1: reply key";
const BOX = "bgresearch sealed box v1";
const REPLY = "bgresearch sealed reply v1";
const KEY_BYTES = 32;
const IV_BYTES = 12;

export class Unsealable extends Error {} // its message is for the user and contains nothing that was typed

const utf8 = (text) => new TextEncoder().encode(text);

export function encoded(bytes) {
  const text = Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte)).join("");
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

export function decoded(text, length) {
  let bytes = null;
  try {
    bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
  } catch {
    // reported below
  }
  if (bytes === null || (length && bytes.length !== length) || encoded(bytes) !== text) {
    throw new Unsealable("The agent's answer is malformed.");
  }
  return bytes;
}

/** Whether this page may seal at all: null, or the reason why not. */
export async function whyNot() {
  if (!globalThis.isSecureContext || !globalThis.crypto?.subtle) {
    return "This page came over plain http from another machine, so the browser gives it no cryptography: anyone on "
      + "the network could read what is typed here.";
  }
  try {
    await newPair();
  } catch {
    return "This browser cannot seal: it does not know X25519. Chromium 133, Firefox 130 and Safari 17 do.";
  }
  return null;
}

export async function fingerprintOf(publicKey) {
  const named = new Uint8Array([...utf8("bgresearch intake "), ...decoded(publicKey, KEY_BYTES)]);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", named)).slice(0, 10);
  const digits = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.match(/.{4}/g).join("-");
}

/** The box that answers an offer, and what opens the reply to it; the private key cannot be exported. */
export async function seal(offer, texts, { pair = null, iv = null } = {}) {
  if (offer.version !== 1 || [...offer.fields].sort().join() !== Object.keys(texts).sort().join()) {
    throw new Unsealable("The agent expects other fields than this form has; update the older of the two.");
  }
  const own = pair ?? (await newPair());
  const sender = encoded(await crypto.subtle.exportKey("raw", own.publicKey));
  const vector = iv ?? crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const key = await agreed(own.privateKey, offer, BOX_INFO);
  const how = { name: "AES-GCM", iv: vector, additionalData: bound(BOX, offer, sender) };
  const ciphertext = await crypto.subtle.encrypt(how, key, utf8(JSON.stringify(texts)));
  const named = { version: 1, nonce: offer.nonce, public_key: sender };
  return {
    box: { ...named, iv: encoded(vector), ciphertext: encoded(ciphertext) },
    opener: { offer, sender, privateKey: own.privateKey },
  };
}

/** The texts of the agent's reply to a box. */
export async function openReply(opener, reply) {
  if (reply?.version !== 1) throw new Unsealable("The agent's reply is of another version; update the older side.");
  const key = await agreed(opener.privateKey, opener.offer, REPLY_INFO);
  const iv = decoded(reply.iv, IV_BYTES);
  const how = { name: "AES-GCM", iv, additionalData: bound(REPLY, opener.offer, opener.sender) };
  try {
    return JSON.parse(new TextDecoder().decode(await crypto.subtle.decrypt(how, key, decoded(reply.ciphertext))));
  } catch {
    throw new Unsealable("The agent's reply cannot be opened here: it answers another form. Start this step again.");
  }
}

function newPair() {
  return crypto.subtle.generateKey({ name: "X25519" }, false, ["deriveKey"]);
}

async function agreed(privateKey, offer, info) {
  const other = await crypto.subtle.importKey("raw", decoded(offer.public_key, KEY_BYTES), { name: "X25519" }, false, []);
  let shared;
  try {
    shared = await crypto.subtle.deriveKey(
      { name: "X25519", public: other }, privateKey, { name: "HKDF" }, false, ["deriveKey"]);
  } catch {
    throw new Unsealable("The agent's key is not a usable one."); // a point of low order
  }
  const how = { name: "HKDF", hash: "SHA-256", salt: utf8(SALT), info: utf8(info) };
  return crypto.subtle.deriveKey(how, shared, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

function bound(what, offer, sender) {
  const lines = [what, offer.public_key, sender, offer.nonce, String(offer.expires_ms), offer.fields.join(","), offer.label];
  return utf8(lines.join("\n"));
}
