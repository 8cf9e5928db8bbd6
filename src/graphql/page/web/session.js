// Who is signed in, for the start page and GraphiQL alike: sessions are kept in this browser and refreshed before they end.

const STORE = "ensemble.sessions";
const PAYLOAD = "{ accessToken refreshToken expiresAt viewer { name email } userErrors { message } }";
const LOGIN = `mutation SignIn($email: String!, $password: String!) { login(input: { email: $email, password: $password }) ${PAYLOAD} }`;
const REFRESH = `mutation Refresh($token: String!) { tokenRefresh(input: { refreshToken: $token }) ${PAYLOAD} }`;
const ACCEPT = "application/graphql-response+json, application/json;q=0.9";
// An access token that ends within this time is renewed first.
const MARGIN_MS = 60_000;
const MOST_WAITS = 20;

const listeners = new Set();
let loaded;

/** What the server shows of the demo: `{ database, people, customers, walk }`. */
export function start() {
  loaded ??= fetch("/start.json").then((response) => response.json());
  return loaded;
}

function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(STORE));
    if (kept?.sessions) return kept;
  } catch {
    // Not ours, or from another version: as good as nothing.
  }
  return { current: null, sessions: {} };
}

function change(edit) {
  const kept = read();
  edit(kept);
  localStorage.setItem(STORE, JSON.stringify(kept));
  for (const listener of listeners) listener();
}

addEventListener("storage", (event) => {
  if (event.key === STORE) for (const listener of listeners) listener();
});

/** Calls `listener` now and whenever somebody signs in or out, in any tab. */
export function onChange(listener) {
  listeners.add(listener);
  listener();
}

/** Who is signed in: `{ email, name }`, or null. */
export function current() {
  const { current, sessions } = read();
  return current && sessions[current] ? { email: current, name: sessions[current].name } : null;
}

/** Everyone with a session in this browser. */
export function known() {
  return Object.entries(read().sessions).map(([email, { name }]) => ({ email, name }));
}

/** Ends nothing on the server: the next sign-in goes on with the session. */
export function choose(email) {
  change((kept) => {
    kept.current = email;
  });
}

/** Signs in and makes this person the current one. */
export async function signIn(email, password) {
  const session = await open(LOGIN, { email, password });
  change((kept) => {
    kept.sessions[email] = session;
    kept.current = email;
  });
}

/** Signs in as a demo user. */
export async function signInAs(email) {
  await token(email);
  choose(email);
}

/** Signs out here and on the server. */
export async function signOut() {
  const person = current();
  if (!person) return;
  const { accessToken } = read().sessions[person.email];
  change((kept) => {
    delete kept.sessions[person.email];
    kept.current = null;
  });
  await post({ query: "mutation SignOut { logout { userErrors { message } } }" }, { authorization: `Bearer ${accessToken}` });
}

/** The answer to a request `{ query, variables, operationName }` of a person, or of nobody when `email` is null. */
export async function ask(email, request, headers = {}) {
  if (!email) return (await post(request, headers)).body;
  const first = await token(email);
  const answer = await post(request, { ...headers, authorization: `Bearer ${first}` });
  if (answer.status !== 401 && answer.body.errors?.[0]?.extensions?.code !== "UNAUTHENTICATED") return answer.body;
  const second = await token(email, first);
  return (await post(request, { ...headers, authorization: `Bearer ${second}` })).body;
}

/** An access token that is still good, and is not `stale`. */
export function token(email, stale) {
  return alone(async () => {
    const kept = read().sessions[email];
    const fresh = kept && Date.parse(kept.expiresAt) - Date.now() > MARGIN_MS;
    if (fresh && kept.accessToken !== stale) return kept.accessToken;
    const session = (kept && (await refreshed(kept))) ?? (await again(email));
    change(({ sessions }) => {
      sessions[email] = session;
    });
    return session.accessToken;
  });
}

async function refreshed(session) {
  try {
    return await open(REFRESH, { token: session.refreshToken });
  } catch {
    return null;
  }
}

async function again(email) {
  const person = (await start()).people.find((person) => person.email === email);
  if (person) return open(LOGIN, { email, password: person.password });
  change((kept) => {
    delete kept.sessions[email];
    kept.current = null;
  });
  throw new Error(`The session of ${email} has ended. Sign in again.`);
}

/** One at a time in all tabs: a refresh token is good for one use. */
function alone(work) {
  // A page that was loaded over plain HTTP from another machine has no locks.
  return navigator.locks ? navigator.locks.request(STORE, work) : work();
}

async function open(query, variables) {
  const { body } = await post({ query, variables });
  const payload = Object.values(body.data ?? {})[0];
  const problem = body.errors?.[0] ?? payload?.userErrors?.[0];
  if (!payload?.accessToken) throw new Error(problem?.message ?? "The server did not answer.");
  const { accessToken, refreshToken, expiresAt, viewer } = payload;
  return { accessToken, refreshToken, expiresAt, name: viewer?.name ?? viewer?.email };
}

/** Status and body. A caller who is out of points waits, as the server says. */
async function post(request, headers = {}) {
  for (let waits = 0; ; waits += 1) {
    const response = await fetch("/graphql", {
      method: "POST",
      headers: { "content-type": "application/json", accept: ACCEPT, ...headers },
      body: JSON.stringify(request),
    });
    const body = await response.json();
    const wait = body.errors?.[0]?.extensions?.retryAfterMs;
    if (wait === undefined || waits >= MOST_WAITS) return { status: response.status, body };
    await new Promise((later) => setTimeout(later, wait));
  }
}
