// GraphiQL with a bar that says who is signed in. Queries and mutations go to /graphql, subscriptions to /graphql/stream
// as server-sent events.
import { ask, choose, current, known, onChange, signIn, signInAs, signOut, start, token } from "/session.js";

function isSubscription(params, options) {
  const definitions = options?.documentAST?.definitions ?? [];
  return definitions.some(
    (definition) =>
      definition.kind === "OperationDefinition" &&
      definition.operation === "subscription" &&
      (!params.operationName || definition.name?.value === params.operationName),
  );
}

async function* events(params, headers) {
  const response = await fetch("/graphql/stream", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers, accept: "text/event-stream" },
    body: JSON.stringify(params),
  });
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

async function fetcher(params, options) {
  // For a moment after the text has changed, the name is still that of an operation in the text before.
  if (params.operationName && !params.query.includes(params.operationName)) {
    params = { ...params, operationName: undefined };
  }
  const headers = { ...options?.headers };
  // A tab's own authorization header is stronger than the bar.
  const own = Object.keys(headers).some((name) => name.toLowerCase() === "authorization");
  const person = own ? null : (current()?.email ?? null);
  try {
    if (!isSubscription(params, options)) return await ask(person, params, headers);
    return events(params, person ? { ...headers, authorization: `Bearer ${await token(person)}` } : headers);
  } catch (error) {
    return { errors: [{ message: error.message }] };
  }
}

// --- The bar.

const $ = (id) => document.getElementById(id);
const OTHER = "other";
const { people } = await start();

function option(value, text) {
  return Object.assign(document.createElement("option"), { value, textContent: text });
}

function problem(text = "") {
  $("problem").textContent = text;
}

function form(open) {
  $("sign-in").hidden = !open;
  problem();
  if (open) $("email").focus();
}

onChange(() => {
  const here = current();
  const demo = people.map(({ email, name, role, company }) => option(email, `${name}, ${company || role}`));
  const others = known()
    .filter(({ email }) => !people.some((person) => person.email === email))
    .map(({ email, name }) => option(email, name));
  $("who").replaceChildren(option("", "nobody"), ...others, ...demo, option(OTHER, "another user…"));
  $("who").value = here?.email ?? "";
  $("sign-out").hidden = !here;
});

$("who").addEventListener("change", async () => {
  const email = $("who").value;
  form(email === OTHER);
  if (email === OTHER) return;
  try {
    if (email) await signInAs(email);
    else choose(null);
  } catch (error) {
    choose(null);
    problem(error.message);
  }
});

$("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await signIn($("email").value.trim(), $("password").value);
    $("password").value = "";
    form(false);
  } catch (error) {
    problem(error.message);
  }
});

$("cancel").addEventListener("click", () => {
  form(false);
  choose(current()?.email ?? null);
});
$("sign-out").addEventListener("click", signOut);

const address = new URLSearchParams(location.hash.slice(1));
const wanted = address.get("as");
if (wanted) await signInAs(wanted).catch((error) => problem(error.message));

ReactDOM.createRoot($("graphiql")).render(
  React.createElement(GraphiQL, {
    fetcher,
    isHeadersEditorEnabled: true,
    query: address.get("query") || undefined,
    variables: address.get("variables") || undefined,
    defaultQuery: "{\n  viewer {\n    name\n    role\n  }\n}\n",
    defaultEditorToolsVisibility: "variables",
  }),
);
// A reload shows the tabs as they were left, not this operation once more.
history.replaceState(null, "", location.pathname);
