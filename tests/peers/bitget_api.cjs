// Subscribes with the npm package bitget-api and writes every push as a line of JSON. Arguments: the folder with
// node_modules, the address, the version, topics as JSON (instType, topic, symbol), by how many milliseconds the
// exchange's clock is ahead of this machine's, then key, secret and phrase if any.
const [folder, url, version, topics, ahead, ...key] = process.argv.slice(2);
const machine = Date.now;
Date.now = () => machine() + Number(ahead);
const { WebsocketClientV2, WebsocketClientV3 } = require(require.resolve("bitget-api", { paths: [folder] }));

const quiet = { trace() {}, info() {}, error(...words) { console.error(...words); } };
const [apiKey, apiSecret, apiPass] = key;
const options = { wsUrl: url, ...(apiKey ? { apiKey, apiSecret, apiPass } : {}) };
const client = new (version === "v2" ? WebsocketClientV2 : WebsocketClientV3)(options, quiet);

client.on("update", (push) => console.log(JSON.stringify(push)));
client.on("exception", (error) => console.error(JSON.stringify(error)));

for (const { instType, topic, symbol, interval } of JSON.parse(topics)) {
  if (version === "v2") client.subscribeTopic(instType, topic, symbol);
  else {
    const wsKey = apiKey ? "v3Private" : "v3Public";
    client.subscribe({ topic, payload: { instType, ...(symbol ? { symbol } : {}), ...(interval ? { interval } : {}) } }, wsKey);
  }
}
