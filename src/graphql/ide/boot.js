"use strict";

// Queries and mutations go to /graphql, subscriptions to /graphql/stream as server-sent events.
const accept = "application/graphql-response+json, application/json;q=0.9";

function isSubscription(params, options) {
  const definitions = (options && options.documentAST && options.documentAST.definitions) || [];
  return definitions.some(
    (definition) =>
      definition.kind === "OperationDefinition" &&
      definition.operation === "subscription" &&
      (!params.operationName || (definition.name && definition.name.value === params.operationName)),
  );
}

function post(url, params, headers) {
  return fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(params),
  });
}

async function* events(params, headers) {
  const response = await post("/graphql/stream", params, { ...headers, accept: "text/event-stream" });
  if (!response.headers.get("content-type").startsWith("text/event-stream")) {
    yield await response.json();
    return;
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += value;
      const blocks = text.split("\n\n");
      text = blocks.pop();
      for (const block of blocks) {
        const lines = block.split("\n");
        if (lines.includes("event: complete")) return;
        const data = lines.filter((line) => line.startsWith("data: ")).map((line) => line.slice(6));
        if (data.length > 0) yield JSON.parse(data.join("\n"));
      }
    }
  } finally {
    reader.cancel();
  }
}

function fetcher(params, options) {
  const headers = { ...(options && options.headers) };
  for (const name of Object.keys(headers)) {
    // The header as it is offered, not yet filled in: nobody is signed in.
    if (name.toLowerCase() === "authorization" && /^(bearer)?\s*$/i.test(headers[name])) delete headers[name];
  }
  if (isSubscription(params, options)) return events(params, headers);
  return post("/graphql", params, { accept, ...headers }).then((response) => response.json());
}

const address = new URLSearchParams(location.hash.slice(1));

ReactDOM.createRoot(document.getElementById("graphiql")).render(
  React.createElement(GraphiQL, {
    fetcher,
    isHeadersEditorEnabled: true,
    shouldPersistHeaders: true,
    query: address.get("query") || undefined,
    variables: address.get("variables") || undefined,
    defaultEditorToolsVisibility: "headers",
    defaultHeaders: '{\n  "authorization": "Bearer "\n}',
  }),
);
