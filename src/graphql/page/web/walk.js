// The walk from sign-in to a paid partner: what the steps send, what they keep of the answers, and what to look for in them.
// It touches no page, so that it runs anywhere.

const DAY_MS = 86_400_000;
const MOST_CUSTOMERS = 12;
// What a registration is refused with when the customer was registered before, by another partner or the same.
const TAKEN = ["CONFLICT", "DUPLICATE"];

export class Walk {
  /** `ask(email, request)` answers a GraphQL request of a person; `state` is that of an earlier visit. */
  constructor({ customers, walk }, ask, state) {
    this.customers = customers;
    this.steps = walk;
    this.ask = ask;
    this.state = state ?? this.fresh(0);
  }

  fresh(customer) {
    return { customer, renamed: null, started: Date.now(), round: random(), saved: {}, acts: {} };
  }

  /** Begins again, with a customer that no earlier walk registered. */
  restart() {
    this.state = this.fresh(this.state.customer + 1);
  }

  get customer() {
    const { customer } = this.state;
    return this.customers[customer] ?? this.invented(customer);
  }

  invented(customer) {
    this.state.renamed ??= pronounceable();
    const name = this.state.renamed;
    return { name: `${name[0].toUpperCase()}${name.slice(1)} Care`, domain: `${name}-${customer}.example` };
  }

  act(step, act) {
    return this.steps[step].acts[act];
  }

  answer(step, act) {
    return this.state.acts[`${step}.${act}`];
  }

  done(step) {
    return this.steps[step].acts.every((_, act) => this.answer(step, act)?.done);
  }

  /** The first step that is not done; as many as there are steps when all are. */
  get next() {
    const next = this.steps.findIndex((_, step) => !this.done(step));
    return next < 0 ? this.steps.length : next;
  }

  /** The variables of an operation. What no step has saved yet is shown as `‹name›`, and named in `missing`. */
  variables(step, act) {
    const missing = new Set();
    const { domain, name } = this.customer;
    const known = { customer: name, site: `https://www.${domain}/`, spelling: `${domain.toUpperCase()}.`, ...this.state.saved };
    const fill = (value) => {
      if (Array.isArray(value)) return value.map(fill);
      if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, fill(inner)]));
      if (typeof value !== "string" || !value.startsWith("$")) return value;
      const [word, days] = value.slice(1).split(":");
      // Touchpoints keep their distance from each other however long the walk takes; a period ends today.
      if (word === "time") return new Date(this.state.started + Number(days) * DAY_MS).toISOString();
      if (word === "date") return new Date(Date.now() + Number(days) * DAY_MS).toISOString().slice(0, 10);
      if (word in known) return known[word];
      missing.add(word);
      return `‹${word}›`;
    };
    const { document, with: given } = this.act(step, act);
    const variables = fill(given);
    // The same text again is the same request: it changes nothing and answers the same.
    if (document.includes("$key")) variables.key = `walk-${this.state.round}-${step + 1}-${act + 1}`;
    return { variables, missing: [...missing] };
  }

  /** Runs one operation, as it is or as `edited` (`{ query, variables }`), and keeps what later steps need. */
  async run(step, act, edited) {
    const told = this.act(step, act);
    for (let tries = 1; ; tries += 1) {
      const { variables, missing } = this.variables(step, act);
      if (!edited && missing.length > 0) throw new Error("Run the steps before this one first.");
      const request = edited ?? { query: told.document, variables };
      const body = await this.ask(told.as, request);
      const answer = this.keep(step, act, body);
      const taken = !answer.done && answer.problems.some(({ code }) => TAKEN.includes(code));
      if (edited || !taken || told.run !== "Register" || tries >= MOST_CUSTOMERS) return answer;
      this.state.customer += 1;
      this.state.renamed = null;
      this.state.round = random();
    }
  }

  keep(step, act, body) {
    const told = this.act(step, act);
    const problems = problemsOf(body);
    const done = told.refused
      ? problems.length === 1 && problems[0].code === told.refused
      : problems.length === 0 && Boolean(body.data);
    const answer = { done, body, problems: done ? [] : problems, figures: done ? figures(told, body.data) : [] };
    this.state.acts[`${step}.${act}`] = answer;
    if (done) {
      for (const [name, pointer] of Object.entries(told.save)) this.state.saved[name] = find(body.data, pointer)?.value;
    }
    return answer;
  }
}

const bytes = (count) => [...crypto.getRandomValues(new Uint8Array(count))];
const random = () => bytes(12).map((byte) => (byte % 36).toString(36)).join("");
const pronounceable = () => bytes(8).map((byte, at) => (at % 2 ? "aeiou" : "bdfklmnprstv")[byte % (at % 2 ? 5 : 12)]).join("");

/** Every error of an answer, expected or not: `{ code, message, field }`. */
export function problemsOf(body) {
  const top = (body.errors ?? []).map(({ message, path, extensions }) => ({ code: extensions?.code, message, field: path }));
  const payloads = Object.values(body.data ?? {});
  return [...top, ...payloads.flatMap((payload) => payload?.userErrors ?? [])];
}

/** The value at a place such as `deal/accruals/nodes/kind=EARNED/amount`, with its path; nothing when there is none. */
export function find(data, at) {
  let value = data;
  const path = [];
  for (const part of at.split("/")) {
    const [key, wanted] = part.split("=");
    const inner = (item) => key.split(".").reduce((found, name) => found?.[name], item);
    const next = wanted === undefined ? part : value?.findIndex?.((item) => inner(item) === wanted);
    value = value?.[next];
    path.push(next);
  }
  return value === undefined || value === null ? undefined : { value, path };
}

/** How a value reads: an amount as `1,428.57 USD`, an instant as a local day and time. */
export function shown(value, unit) {
  if (value?.currency) {
    const [whole, cents] = value.amount.split(".");
    const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
    return `${grouped}${cents === undefined ? "" : `.${cents}`} ${value.currency}`;
  }
  return unit ? `${value} ${unit}` : String(value);
}

/** `[{ label, value, expected, holds, path }]`: what a reader looks for in an answer. */
export function figures(told, data) {
  return told.figures.map(({ label, at, shows, unit }) => {
    const found = find(data, at);
    const value = found ? shown(found.value, unit) : "nothing";
    return { label, value, expected: shows, holds: !shows || value === shows, path: found?.path ?? [] };
  });
}
