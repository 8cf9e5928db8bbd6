// graphql-ws, the client behind Apollo's default link: it opens a socket for each query and closes it after. A server that
// does not answer the close frame makes it wait and try again.
import { createClient } from "graphql-ws";
import WebSocket from "ws";

const MOST_MS = 500;

export async function sockets({ server }) {
  const closes = [];
  const client = createClient({
    url: `${server.url.replace(/^http/, "ws")}/ws`,
    webSocketImpl: WebSocket,
    lazy: true,
    retryAttempts: 0,
    connectionParams: { authorization: server.token },
    on: { closed: (event) => closes.push(event.code) },
  });
  const ask = () =>
    new Promise((done, failed) => {
      let answer;
      client.subscribe(
        { query: "{ viewer { role } }" },
        { next: (value) => (answer = value), error: failed, complete: () => done(answer) },
      );
    });
  const times = [];
  for (let round = 0; round < 5; round += 1) {
    const started = Date.now();
    const { data, errors } = await ask();
    times.push(Date.now() - started);
    if (errors || data.viewer.role !== "ADMINISTRATOR") throw new Error(JSON.stringify(errors ?? data));
    await closed(closes, round + 1);
  }
  const wrong = closes.filter((code) => code !== 1000);
  if (wrong.length) throw new Error(`closed with ${wrong.join(", ")}`);
  const slowest = Math.max(...times);
  if (slowest > MOST_MS) throw new Error(`a query took ${slowest} ms: ${times.join(", ")}`);
  return `${times.length} queries on sockets of their own, each closed with 1000, the slowest in ${slowest} ms`;
}

async function closed(closes, count) {
  const until = Date.now() + MOST_MS;
  while (closes.length < count) {
    if (Date.now() > until) throw new Error("a close frame was not answered");
    await new Promise((later) => setTimeout(later, 5));
  }
}
