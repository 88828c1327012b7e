/** The pages, in a real browser, of a server of the real program. */
import type { Page } from "playwright-core";
import { needs } from "../needs.ts";
import { deepEqual, equal, match, ok } from "../assert.ts";
import { BROWSER } from "./browser.ts";
import { faintText, focused, kept, keptInTab, overflow, unnamed } from "./in_page.js";
import { scene } from "./scene.ts";

const test = needs(BROWSER === undefined ? "no chromium is installed" : undefined);
/** It would run if it ever became markup. */
const HOSTILE = `<img src=x onerror="document.title='taken'">`;

test("the agents are listed as they are, and talked to", async () => {
  await scene(async ({ served, open, ask }) => {
    await (await ask("POST", "/agents", { id: "bob", agent: "counter" })).body?.cancel();
    const { page, complaints } = await open();
    await page.goto(served.url);
    equal(await page.title(), "agentd");
    await page.getByRole("link", { name: /^bob/ }).click();
    await page.getByRole("heading", { name: "bob" }).waitFor();
    equal(await page.title(), "bob · agentd");
    await page.getByLabel("Message").fill("hello");
    await page.getByLabel("Message").press("Enter");
    const said = page.getByRole("log", { name: "Conversation" });
    await said.getByText("1", { exact: true }).waitFor();
    await page.getByLabel("Message").fill('{"alarm":100000000}');
    await page.getByRole("button", { name: "Send" }).click();
    await said.getByText("2", { exact: true }).waitFor();

    // What others do shows by itself: in the trace as it happens, and in the list.
    const trace = page.getByRole("log", { name: "Trace" });
    await (await ask("POST", "/agents/bob/send", { payload: "from elsewhere" })).body?.cancel();
    await trace.getByText("from http:operator: from elsewhere").waitFor();
    await (await ask("POST", "/agents/bob/pause")).body?.cancel();
    await page.getByRole("link", { name: /^bob\s+paused/ }).waitFor();
    await page.getByRole("button", { name: "Resume" }).click();
    await page.getByRole("link", { name: /^bob\s+active/ }).waitFor();
    await page.getByRole("button", { name: "Tick now" }).click();
    await trace.getByText("manual manual:local").waitFor();

    // What is counted of all of them is what the list says of each.
    await (await ask("POST", "/agents", { id: "idle", agent: "echo" })).body?.cancel();
    await (await ask("POST", "/agents/idle/hibernate")).body?.cancel();
    await page.getByRole("link", { name: /^idle\s+dormant/ }).waitFor();
    await countsActive(page, 2);
    await (await ask("POST", "/agents/idle/wake")).body?.cancel();
    await page.getByRole("link", { name: /^idle\s+active/ }).waitFor();
    await countsActive(page, 3);
    deepEqual(complaints, []);
  });
});

async function countsActive(page: Page, count: number): Promise<void> {
  const told = page.getByLabel("Runtime").locator("div");
  await told.filter({ hasText: new RegExp(`^active${count}$`) }).waitFor();
  equal(await page.locator("#agents .state.active").count(), count);
}

test("what an agent says is text and never markup", async () => {
  await scene(async ({ served, open, ask }) => {
    const made = await ask("POST", "/agents", { id: "eve", agent: "echo", name: HOSTILE });
    equal(made.status, 201, await made.text());
    const { page, complaints } = await open();
    await page.goto(`${served.url}/#eve`);
    const said = page.getByRole("log", { name: "Conversation" });
    await page.getByLabel("Message").fill(HOSTILE);
    await page.getByLabel("Message").press("Enter");
    await said.getByText(HOSTILE).nth(1).waitFor();
    await page.getByRole("log", { name: "Trace" }).getByText(`to http local: ${HOSTILE}`).waitFor();
    ok(await page.getByRole("link", { name: /^eve/ }).getByText(HOSTILE).isVisible());
    equal(await page.locator("img").count(), 0);
    equal(await page.title(), "eve · agentd");
    deepEqual(complaints, []);
  });
});

test("an agent whose tick fails says so, and the one who is not there too", async () => {
  await scene(async ({ served, open, ask }) => {
    await (await ask("POST", "/agents", { id: "bob", agent: "counter" })).body?.cancel();
    await (await ask("POST", "/agents/bob/pause")).body?.cancel();
    const { page } = await open();
    await page.goto(`${served.url}/#bob`);
    await page.getByRole("button", { name: "Resume" }).waitFor();
    equal(await page.getByRole("button", { name: "Tick now" }).isVisible(), false);
    await page.goto(`${served.url}/#nobody`);
    await page.getByRole("alert").getByText("no such agent").waitFor();
  });
});

test("a token is asked for when the server wants one, and kept no longer than the tab", async () => {
  await scene(async ({ served, place, open }) => {
    const { page, context } = await open();
    await page.goto(served.url);
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Token").fill("wrong");
    await dialog.getByRole("button").click();
    await dialog.getByText("does not take this token").waitFor();
    await dialog.getByLabel("Token").fill(
      (await Deno.readTextFile(`${place.dir}/.agentd/token`)).trim(),
    );
    await dialog.getByRole("button").click();
    await page.getByRole("link", { name: /^abc/ }).click();
    await page.getByLabel("Message").fill("hi");
    await page.getByLabel("Message").press("Enter");
    await page.getByRole("log", { name: "Trace" }).getByText("to http operator: hi").waitFor();
    deepEqual(await page.evaluate(kept), [0, ""]);
    deepEqual(await context.cookies(), []);
    const other = await context.newPage();
    await other.goto(served.url);
    await other.getByRole("dialog").getByLabel("Token").waitFor();
    await page.getByRole("button", { name: "Forget token" }).click();
    await page.getByRole("dialog").getByLabel("Token").waitFor();
    equal(await page.evaluate(keptInTab), 0);
  }, { flags: ["--require-token"] });
});

test("the pages fit a phone, stand out from their ground in the light and in the dark, and name what they ask for", async () => {
  await scene(async ({ served, open, ask }) => {
    const long = "a-name-that-does-not-break-anywhere-and-is-as-long-as-it-can-be";
    for (const id of [long.slice(0, 63), "bob", "paused"]) {
      await (await ask("POST", "/agents", { id, agent: "echo" })).body?.cancel();
    }
    await (await ask("POST", "/agents/paused/pause")).body?.cancel();
    await (await ask("POST", "/agents/paused/send", { payload: "x" })).body?.cancel();
    for (const colorScheme of ["light", "dark"] as const) {
      for (const width of [320, 390, 1200]) {
        const { page, context, complaints } = await open({ colorScheme, width });
        const where = `${colorScheme} ${width}`;
        const fits = async (what: string) => {
          equal(await page.evaluate(overflow), 0, `${where}, ${what}: it is wider than its window`);
          deepEqual(await page.evaluate(faintText), [], `${where}, ${what}`);
        };
        await page.goto(served.url);
        await page.getByRole("link", { name: /^paused/ }).waitFor();
        await fits("the list");
        await page.goto(`${served.url}/#abc`);
        await page.getByLabel("Message").fill("word ".repeat(40) + "w".repeat(300));
        await page.getByLabel("Message").press("Enter");
        await page.locator(".talk .agent").waitFor();
        await fits("an agent");
        await page.goto(`${served.url}/docs#readFile`);
        await page.getByText("range_not_satisfiable").first().waitFor();
        await fits("the API");
        deepEqual(complaints, [], where);
        await context.close();
      }
    }
    const { page } = await open();
    await page.goto(`${served.url}/#abc`);
    deepEqual(await page.evaluate(unnamed), []);
  });
});

test("all can be reached with the keyboard", async () => {
  await scene(async ({ served, open }) => {
    const { page } = await open();
    await page.goto(served.url);
    await page.getByRole("link", { name: /^abc/ }).waitFor();
    const order = [];
    for (let n = 0; n < 5; n++) {
      await page.keyboard.press("Tab");
      order.push(await page.evaluate(focused));
    }
    deepEqual(order.slice(0, 4), ["Skip to the agent", "agentd", "API", "wanted"]);
    match(order[4]!, /^abc/);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "abc" }).waitFor();
    equal((await page.evaluate(focused)).includes("All agents"), true, "its section");
    // The list is looked at again and again; the focus stays where it is.
    await page.getByRole("link", { name: /^abc/ }).focus();
    const looked = page.waitForResponse((answer) => answer.url().includes("/agents?"));
    await looked;
    match(String(await page.evaluate(focused)), /^abc/);
  });
});

test("the API's page tells every operation of the document", async () => {
  await scene(async ({ served, open }) => {
    const { page, complaints } = await open();
    await page.goto(`${served.url}/docs`);
    await page.getByRole("heading", { name: "Schemas" }).waitFor();
    const document = await (await fetch(`${served.url}/openapi.json`)).json();
    const operations = Object.values(document.paths as Record<string, Record<string, unknown>>)
      .flatMap((item) => Object.values(item))
      .flatMap((operation) => (operation as { operationId?: string }).operationId ?? []);
    ok(operations.length > 30);
    for (const id of operations) equal(await page.locator(`details#${id}`).count(), 1, id);
    await page.getByLabel("Find").fill("deadletter or nothing of that kind");
    equal(await page.locator("details:visible").count(), 0);
    await page.getByLabel("Find").fill("/send");
    equal(await page.locator("details:visible").count(), 1);
    deepEqual(complaints, []);
  });
});
