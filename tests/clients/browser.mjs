// The first hour as a person has it, in a real browser:
//   node browser.mjs http://127.0.0.1:8080 [FOLDER FOR SCREENSHOTS]
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import path from "node:path";
import { chromium } from "playwright-core";

const [address, pictures] = process.argv.slice(2);
const find = "command -v chromium || command -v chromium-browser || command -v google-chrome || true";
const executablePath = execFileSync("sh", ["-c", find], { encoding: "utf8" }).trim();
if (!address || !executablePath) {
  console.error(address ? "Chromium is not installed." : "usage: node browser.mjs ADDRESS [FOLDER]");
  process.exit(2);
}
const args = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
const browser = await chromium.launch({ executablePath, args });
let foreign = [];
const trouble = [];

/** A window of its own, which reports what goes wrong in it. */
async function open(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  context.on("request", (request) => {
    if (!request.url().startsWith(address) && !/^(data|blob|about):/.test(request.url())) foreign.push(request.url());
  });
  context.on("weberror", (error) => trouble.push(String(error.error())));
  context.on("console", (message) => {
    // A refused token is part of what is checked.
    if (message.type() === "error" && !message.text().includes("401")) trouble.push(message.text());
  });
  return page;
}

async function picture(page, name, fullPage = true) {
  if (pictures) await page.screenshot({ path: path.join(pictures, `${name}.png`), fullPage });
}

async function noSidewaysScroll(page, name) {
  const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= room, `${name} is ${wide} wide in ${room}`);
}

/** Every control has a name for those who do not see it. */
async function everythingIsNamed(page, within = "body") {
  const nameless = await page.evaluate((within) =>
    [...document.querySelector(within).querySelectorAll("button, a, input, select, textarea, iframe")]
      .filter((control) => {
        const labels = [...(control.labels ?? [])].map((label) => label.textContent).join("");
        return !(control.getAttribute("aria-label") || control.title || labels || control.textContent.trim());
      })
      .map((control) => control.outerHTML.slice(0, 80)),
    within,
  );
  assert.deepEqual(nameless, []);
}

const checks = {
  async "the whole walk runs with one click"() {
    const page = await open();
    await page.goto(address);
    await page.getByRole("button", { name: "Run all" }).waitFor();
    await everythingIsNamed(page);
    await picture(page, "start");
    await page.getByRole("button", { name: "Run all" }).click();
    await page.getByText("All steps are done.").waitFor({ timeout: 60_000 });
    assert.equal(await page.locator(".step.done").count(), 15);
    assert.equal(await page.locator("[data-problem]:visible").count(), 0);
    assert.equal(await page.locator(".figures small").count(), 0);
    const last = await page.locator("#step-15 .figures").innerText();
    assert.match(last, /1,428\.57 USD[^]*0\.00 USD/);
    await page.locator("#step-15 summary").click();
    assert.equal(await page.locator("#step-15 mark").count(), 4);
    await page.locator("#step-15 summary").click();
    await picture(page, "walked");
    // What was done is there after a reload, and the next walk takes another customer.
    await page.reload();
    await page.getByText("All steps are done.").waitFor();
    const before = await page.locator("#step-4 .what").innerText();
    await page.getByRole("button", { name: "Start again" }).click();
    assert.notEqual(await page.locator("#step-4 .what").innerText(), before);
    for (let step = 1; step <= 4; step += 1) {
      await page.getByRole("button", { name: `Run: step ${step},` }).click();
      await page.locator(`#step-${step}.done`).waitFor();
    }
    await page.context().close();
  },

  async "another browser that does not know what was walked takes a free customer and says so"() {
    const register = async (page) => {
      await page.goto(address);
      await page.getByRole("button", { name: /^Run to here: step 4,/ }).click();
      await page.locator("#step-4.done").waitFor({ timeout: 30_000 });
    };
    const earlier = await open();
    await register(earlier);
    await earlier.context().close();
    const page = await open({ colorScheme: "dark", viewport: { width: 390, height: 844 } });
    await register(page);
    assert.match(await page.locator("#customer").innerText(), /is already registered, from an earlier walk/);
    // An operation can be changed; what is wrong is shown where it is.
    await page.locator("#step-5 summary").click();
    const variables = page.locator("#step-5 [data-variables]");
    const whole = await variables.inputValue();
    await variables.fill("{");
    await page.locator("#step-5 [data-send]").click();
    await page.locator("#step-5 [data-problem]").getByText("The variables are not JSON").waitFor();
    await variables.fill(whole.replace(/"registrationId": "[^"]*"/, '"registrationId": "nothing"'));
    await page.locator("#step-5 [data-send]").click();
    await page.locator("#step-5 [data-problem]").getByText("NOT_FOUND").waitFor();
    await picture(page, "phone-dark");
    await noSidewaysScroll(page, "the start page");
    await page.locator("#step-5 [data-restore]").click();
    await page.getByRole("button", { name: "Run: step 5," }).click();
    await page.locator("#step-5.done").waitFor();
    await page.context().close();
  },

  async "GraphiQL runs as the person of a step in every tab and renews the token"() {
    const page = await open();
    await page.goto(address);
    await page.getByRole("button", { name: "Sign in as Mina Sato" }).click();
    await page.getByText("Signed in as Mina Sato").waitFor();
    await page.locator("#people").scrollIntoViewIfNeeded();
    await page.locator("#step-1 summary").click();
    await page.locator("#step-1 [data-open]").click();
    await page.waitForURL("**/graphiql");
    const run = page.getByRole("button", { name: /Execute query/ });
    const answer = page.locator(".graphiql-response");
    await run.click();
    await answer.getByText("Nora Lind").waitFor();
    assert.equal(await page.locator("#who").inputValue(), "nora@northwind.example");
    await picture(page, "graphiql", false);
    const query = async (text) => {
      await page.locator(".graphiql-query-editor .CodeMirror").click();
      await page.evaluate((text) => document.querySelector(".graphiql-query-editor .CodeMirror").CodeMirror.setValue(text), text);
      await run.click();
    };
    // A second tab, and another person.
    await page.getByRole("button", { name: "Add tab" }).click();
    await query("{ viewer { name } } # second");
    await answer.getByText("Nora Lind").waitFor();
    await page.locator("#who").selectOption({ label: "Bo Dahl, Blue Fjord Systems" });
    await page.waitForFunction(() => JSON.parse(localStorage.getItem("ensemble.sessions")).current === "bo@bluefjord.example");
    await query("{ viewer { name } } # third");
    await answer.getByText("Bo Dahl").waitFor();
    // A token that the server no longer takes is replaced without a word, and so is one that is about to end.
    const spoil = (edit) =>
      page.evaluate((edit) => {
        const kept = JSON.parse(localStorage.getItem("ensemble.sessions"));
        Object.assign(kept.sessions[kept.current], edit);
        localStorage.setItem("ensemble.sessions", JSON.stringify(kept));
      }, edit);
    await spoil({ accessToken: "spoiled" });
    await query("{ viewer { email } } # fourth");
    await answer.getByText("bo@bluefjord.example").waitFor();
    await spoil({ accessToken: "spoiled", expiresAt: new Date().toISOString(), refreshToken: "spoiled" });
    await query("{ viewer { role } } # fifth");
    await answer.getByText("PARTNER_ADMINISTRATOR").waitFor();
    // A window that is opened now is signed in as well, and signing out there signs out here.
    const other = await page.context().newPage();
    await other.goto(address);
    await other.getByText("Signed in as Bo Dahl").waitFor();
    await other.getByRole("button", { name: "Sign out" }).click();
    await page.waitForFunction(() => document.querySelector("#who").value === "");
    await query("{ viewer { name } } # sixth");
    await answer.getByText('"viewer": null').waitFor();
    // Somebody who is not in the demo's list, or mistypes.
    await page.locator("#who").selectOption("other");
    await page.getByLabel("Email").fill("ada@vendor.example");
    await page.getByLabel("Password").fill("wrong password");
    await page.locator("#sign-in button[type=submit]").click();
    await page.locator("#problem").getByText(/./).waitFor();
    await page.getByLabel("Password").fill("ensemble-demo-2026");
    await page.locator("#sign-in button[type=submit]").click();
    await page.waitForFunction(() => document.querySelector("#who").value === "ada@vendor.example");
    await everythingIsNamed(page, ".bar");
    await page.context().close();
  },

  async "the mails of the walk can be read"() {
    const page = await open({ colorScheme: "light" });
    await page.goto(address);
    await page.getByRole("link", { name: "Mail", exact: true }).click();
    const paid = page.getByRole("link", { name: /Paid: .*1,428\.57[^]*Nora Lind/ });
    for (let tries = 0; (await paid.count()) === 0 && tries < 40; tries += 1) {
      await page.waitForTimeout(500);
      await page.reload();
    }
    await picture(page, "mails", false);
    await paid.first().click();
    assert.match(await page.locator("pre").innerText(), /We paid your commission/);
    await page.frameLocator("iframe").getByText("We paid your commission.").waitFor();
    await everythingIsNamed(page);
    await picture(page, "mail");
    await page.setViewportSize({ width: 390, height: 844 });
    await noSidewaysScroll(page, "a mail");
    await page.getByRole("link", { name: "All mail" }).click();
    await noSidewaysScroll(page, "the mails");
    await page.context().close();
  },
};

let failed = false;
for (const [name, check] of Object.entries(checks)) {
  const started = Date.now();
  foreign = [];
  trouble.length = 0;
  try {
    await check();
    assert.deepEqual(foreign, [], "something came from another host");
    assert.deepEqual(trouble, []);
    console.log(`${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  } catch (fault) {
    failed = true;
    console.error(`FAILED: ${name}: ${fault.stack ?? fault}\n${trouble.join("\n")}`);
  }
}
await browser.close();
process.exit(failed ? 1 : 0);
