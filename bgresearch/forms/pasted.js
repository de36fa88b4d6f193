// Checks of a text without knowing the correct one: errors of pasting, fields that look swapped. Uses no DOM.

const NAMED = { "\n": "a line break", "\r": "a carriage return", "\t": "a tab", "\0": "a null character" };
const KINDS = [
  [/\p{Cc}/u, "a control character"],
  [/\p{Cf}/u, "an invisible character"],
  [/\p{Zs}/u, "a space that is not the plain one"],
  [/\p{Zl}|\p{Zp}/u, "a line separator"],
  [/\p{Cs}/u, "half a character"],
  [/\p{Co}|\p{Cn}/u, "a character without a shape"],
];
const LONGEST = 256; // characters of a key, as the vault takes them
const API_KEY = /^bg_[0-9a-f]{32}$/i;
const SECRET_KEY = /^[0-9a-f]{64}$/i;

/** What is wrong with one text, as a message that does not repeat it; null if nothing is. */
export function blemish(kind, text) {
  if (text === "") return null;
  if (kind === "password") return /\p{Cs}/u.test(text) ? "has half a character in it; type it again" : null;
  if (kind === "pem") return null;
  const found = invisible(text) ?? misplaced(text, kind !== "key");
  if (found) return `has ${found}; paste it again without`;
  return [...text].length > LONGEST ? "is too long; paste the one text alone" : null;
}

/** Texts that look as if they belonged to another field: {name: message}. Only ever a warning. */
export function swapped(texts) {
  const found = {};
  if (texts.api_key && SECRET_KEY.test(texts.api_key)) found.api_key = "looks like a SecretKey";
  else if (texts.api_key && !texts.api_key.startsWith("bg_")) found.api_key = "does not look like an API key: those start with bg_";
  for (const name of ["secret_key", "passphrase"]) {
    if (texts[name] && API_KEY.test(texts[name])) found[name] = "looks like an API key";
  }
  if (texts.passphrase && SECRET_KEY.test(texts.passphrase)) found.passphrase = "looks like a SecretKey";
  return found;
}

function invisible(text) {
  let position = 0;
  for (const character of text) {
    position += 1;
    const kind = character === " " ? null : NAMED[character] ?? KINDS.find(([pattern]) => pattern.test(character))?.[1];
    if (kind) return `${kind} (${point(character)}) at position ${position}`;
  }
  return null;
}

function misplaced(text, hasSpaces) {
  const characters = [...text];
  const at = characters.findIndex((one, place) => one === " " && (!hasSpaces || place === 0 || place === characters.length - 1));
  if (at === 0) return "a space at its start";
  if (at === characters.length - 1 && at > 0) return "a space at its end";
  if (at > 0) return `a space at position ${at + 1}`;
  const foreign = characters.findIndex((one) => one.codePointAt(0) > 127);
  return foreign < 0 ? null : `a character that is not on a plain keyboard at position ${foreign + 1}`;
}

function point(character) {
  return `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}
