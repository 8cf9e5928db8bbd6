import { ask, current, onChange, signInAs, signOut, start } from "/session.js";
import { Walk } from "/walk.js";

const STORE = "ensemble.walk";
const $ = (selector, from = document) => from.querySelector(selector);
const all = (selector, from = document) => [...from.querySelectorAll(selector)];

function element(name, text, props = {}) {
  return Object.assign(document.createElement(name), { textContent: text }, props);
}

const demo = await start();

// --- Who is signed in.

for (const item of all("[data-person]")) {
  const button = $("[data-sign-in]", item);
  button.disabled = false;
  button.addEventListener("click", async () => {
    const problem = $("#sign-in-problem");
    problem.hidden = true;
    try {
      await signInAs(item.dataset.person);
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    }
  });
}
$("#sign-out").addEventListener("click", signOut);
onChange(() => {
  const person = current();
  $("#session").replaceChildren(...(person ? ["Signed in as ", element("strong", person.name)] : ["Not signed in"]));
  $("#sign-out").hidden = !person;
  for (const item of all("[data-person]")) {
    const here = item.dataset.person === person?.email;
    item.classList.toggle("current", here);
    $("[data-sign-in]", item).textContent = here ? "Signed in" : "Sign in";
  }
});

for (const link of all("[data-example]")) {
  link.href = `/graphiql#${new URLSearchParams({ query: link.dataset.document })}`;
}

// --- The walk.

const steps = all("[data-step]");
if (steps.length > 0) play();

function play() {
  const walk = new Walk(demo, ask, recall());
  const acts = steps.map((step) => all("[data-act]", step));
  const edits = new Set();
  // What kept a request from being sent or answered, with the operation under which it is shown.
  let failure = null;
  let busy = false;
  let note = "";

  const names = new Map(demo.people.map((person) => [person.email, person]));
  const texts = all("[data-text]").flatMap((text) => {
    const nodes = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
    const found = [];
    while (nodes.nextNode()) found.push([nodes.currentNode, nodes.currentNode.data]);
    return found;
  });

  $("#run-all").addEventListener("click", () => runTo(steps.length - 1));
  $("#restart").addEventListener("click", () => {
    walk.restart();
    edits.clear();
    failure = null;
    note = "";
    show();
    $("#run-all").focus();
  });
  steps.forEach((step, number) => {
    $("[data-run]", step).addEventListener("click", () => (walk.done(number) ? again(number) : runTo(number)));
    acts[number].forEach((act, at) => wire(act, number, at));
  });
  show();

  function wire(act, step, at) {
    const who = names.get(walk.act(step, at).as);
    $("[data-who]", act).textContent = who ? `${who.name}, ${who.company || who.role}` : walk.act(step, at).as;
    const key = `${step}.${at}`;
    for (const field of all("textarea", act)) {
      field.addEventListener("input", () => {
        edits.add(key);
        $("[data-restore]", act).hidden = false;
        link(act, step, at);
      });
    }
    $("[data-restore]", act).addEventListener("click", () => {
      edits.delete(key);
      show();
    });
    $("[data-send]", act).addEventListener("click", () => work(async () => {
      if (walk.next < step) throw new Error("Run the steps before this one first.");
      await send(step, at);
    }, act));
  }

  async function work(task, place) {
    if (busy) return;
    busy = true;
    failure = null;
    show();
    try {
      await task();
    } catch (error) {
      failure = { act: place ?? acts[Math.min(walk.next, steps.length - 1)][0], message: error.message };
    } finally {
      busy = false;
      for (const step of steps) step.classList.remove("running");
      show();
    }
  }

  const runTo = (last) => work(async () => {
    for (let step = walk.next; step <= last && walk.next === step; step += 1) {
      steps[step].classList.add("running");
      show();
      await runStep(step, false);
      steps[step].classList.remove("running");
      show();
      if (!walk.done(step)) return;
    }
  });

  const again = (step) => work(() => runStep(step, true), acts[step][0]);

  async function runStep(step, repeat) {
    for (const [at] of acts[step].entries()) {
      if (!repeat && walk.answer(step, at)?.done) continue;
      const answer = await send(step, at);
      if (!answer.done) {
        $("details", acts[step][at]).open = true;
        return;
      }
    }
  }

  async function send(step, at) {
    const act = acts[step][at];
    let edited;
    if (edits.has(`${step}.${at}`)) {
      edited = { query: $("[data-document]", act).value, variables: variables(act) };
    }
    const before = walk.customer.name;
    const answer = await walk.run(step, at, edited);
    if (walk.customer.name !== before) {
      note = `${before} is already registered, from an earlier walk. This walk registers ${walk.customer.name}.`;
    }
    show();
    return answer;
  }

  function variables(act) {
    const text = $("[data-variables]", act).value.trim();
    try {
      return text ? JSON.parse(text) : {};
    } catch (error) {
      throw new Error(`The variables are not JSON: ${error.message}`);
    }
  }

  function show() {
    localStorage.setItem(STORE, JSON.stringify({ database: demo.database, state: walk.state }));
    const next = walk.next;
    const [first] = walk.customers;
    for (const [node, text] of texts) {
      node.data = text.replaceAll(first.name, walk.customer.name).replaceAll(first.domain, walk.customer.domain);
    }
    steps.forEach((step, number) => {
      const done = walk.done(number);
      step.classList.toggle("done", done);
      step.classList.toggle("next", number === next);
      const run = $("[data-run]", step);
      run.disabled = busy;
      run.textContent = step.classList.contains("running") ? "Running…" : done ? "Run again" : number === next ? "Run" : "Run to here";
      run.classList.toggle("primary", number === next);
      run.classList.toggle("quiet", number !== next);
      run.setAttribute("aria-label", `${run.textContent}: step ${number + 1}, ${$("h2", step).textContent}`);
      acts[number].forEach((act, at) => showAct(act, number, at));
    });
    $("#run-all").disabled = busy || next === steps.length;
    $("#run-all").textContent = next === 0 || next === steps.length ? "Run all" : "Run the rest";
    $("#restart").hidden = busy || Object.keys(walk.state.acts).length === 0;
    $("#progress").textContent = next === steps.length ? "All steps are done." : next === 0 ? "" : `${next} of ${steps.length} done`;
    $("#customer").textContent = note;
    $("#customer").hidden = !note;
  }

  function showAct(act, step, at) {
    const key = `${step}.${at}`;
    $("[data-send]", act).disabled = busy;
    $("[data-restore]", act).hidden = !edits.has(key);
    if (!edits.has(key)) {
      $("[data-document]", act).value = walk.act(step, at).document;
      $("[data-variables]", act).value = JSON.stringify(walk.variables(step, at).variables, null, 2);
    }
    link(act, step, at);
    const answer = walk.answer(step, at);
    $("[data-figures]", act).replaceChildren(...(answer?.figures ?? []).flatMap(figure));
    problem(act, failure?.act === act ? [failure] : (answer?.problems ?? []));
    const place = $("[data-answer]", act);
    place.hidden = !answer;
    if (answer) {
      const marked = answer.figures.map(({ path }) => ["data", ...path].join("/"));
      $("pre", place).replaceChildren(...json(answer.body, "", new Set(marked), ""));
    }
  }

  function link(act, step, at) {
    const hash = new URLSearchParams({
      query: $("[data-document]", act).value,
      variables: $("[data-variables]", act).value,
      as: walk.act(step, at).as,
    });
    $("[data-open]", act).href = `/graphiql#${hash}`;
    // Values that no step has saved yet would be refused there.
    $("[data-open]", act).hidden = walk.variables(step, at).missing.length > 0;
  }

  function recall() {
    try {
      const { database, state } = JSON.parse(localStorage.getItem(STORE));
      return database === demo.database ? state : undefined;
    } catch {
      return undefined;
    }
  }
}

function figure({ label, value, expected, holds }) {
  const text = /^\d{4}-\d\d-\d\dT/.test(value) ? new Date(value).toLocaleString() : value;
  const shown = element("dd", text, { className: expected && holds ? "holds" : "" });
  if (!holds) shown.append(" ", element("small", `expected ${expected}; this database holds more than one walk`));
  return [element("dt", label), shown];
}

function problem(act, problems) {
  const place = $("[data-problem]", act);
  place.hidden = problems.length === 0;
  const lines = problems.map(({ code, message, field }) => {
    const line = element("div", "");
    if (code) line.append(element("code", code), " ");
    line.append(message ?? "");
    if (field?.length) line.append(" (", element("code", field.join(".")), ")");
    return line;
  });
  place.replaceChildren(...lines);
}

/** JSON as text nodes, with the marked values in <mark>. */
function json(value, path, marked, indent) {
  const found = () => {
    if (value === null || typeof value !== "object") return [JSON.stringify(value)];
    const list = Array.isArray(value);
    const entries = Object.entries(value);
    const [open, close] = list ? ["[", "]"] : ["{", "}"];
    if (entries.length === 0) return [open + close];
    const deeper = `${indent}  `;
    const inner = entries.flatMap(([key, item], at) => [
      `${at > 0 ? "," : ""}\n${deeper}${list ? "" : `${JSON.stringify(key)}: `}`,
      ...json(item, path ? `${path}/${key}` : key, marked, deeper),
    ]);
    return [open, ...inner, `\n${indent}${close}`];
  };
  if (!marked.has(path)) return found();
  const mark = element("mark", "");
  mark.append(...found());
  return [mark];
}
