/** Money, questions, model calls and who sells models, on the page, in a real browser. */
import { deepEqual, equal, match, ok } from "../assert.ts";
import { needs } from "../needs.ts";
import { type BadServer, badServer } from "../providers/compute/bad_servers.ts";
import { BROWSER } from "./browser.ts";
import { faintText, focused, overflow, unnamed } from "./in_page.js";
import { type Scene, scene } from "./scene.ts";

const test = needs(BROWSER === undefined ? "no chromium is installed" : undefined);
const HOSTILE = `<img src=x onerror="document.title='taken'">`;
const PRICE = { input_micro_usd_per_mtok: 1_000_000, output_micro_usd_per_mtok: 2_500_000 };
const DAY = { per_day_micro_usd: 1_000_000 };

/** With a model server of this machine that says one word and stalls: as it is, and as one that is paid. */
async function withSellers(run: (scene: Scene, server: BadServer) => Promise<void>): Promise<void> {
  await using server = badServer();
  const { url } = server;
  const servers = [{ id: "here", url }, { id: "gone", url: "http://127.0.0.1:9/v1" }];
  const cloud = [{ id: "toy", url, secret: "TOY_KEY", prices: { stalls: PRICE } }];
  const compute = { discover: false, servers, cloud };
  await scene(async (scene) => {
    const { code, err } = await scene.place.run(
      ["secret", "set", "TOY_KEY", "--mount", "/compute"],
      { input: "sk-toy" },
    );
    equal(code, 0, err);
    for (const name of ["here", "toy"]) await up(scene, name);
    await run(scene, server);
  }, { settings: { compute } });
}

/** A server is looked at in the background, once it is known and its key is there. */
async function up({ ask }: Scene, name: string): Promise<void> {
  for (let status = ""; status !== "up";) {
    const health = await json<{ status: string }>(
      ask("GET", `/agents/abc/compute/providers/${name}/health`),
    );
    status = health.status;
  }
}

async function json<T>(answer: Promise<Response>): Promise<T> {
  const response = await answer;
  const text = await response.text();
  ok(response.ok, text);
  return JSON.parse(text) as T;
}

async function done(answer: Promise<Response>): Promise<void> {
  const response = await answer;
  ok(response.ok, await response.text());
}

/** A model call by the operator. What it may cost at the most is two cents. */
function modelCall({ ask }: Scene, agent: string, model: string, content = "one two three") {
  return ask("POST", `/agents/${agent}/compute/new`, {
    model,
    kind: "chat",
    input: { messages: [{ role: "user", content }] },
    notify: false,
    stream: true,
    ...(model.startsWith("toy/") ? { max_cost_micro_usd: 20_000 } : {}),
  });
}

test("what an agent may spend and has spent is told in dollars, as it changes", async () => {
  await withSellers(async (scene, server) => {
    const { served, ask, open } = scene;
    const budgets = { "/": DAY, "/compute": { per_day_micro_usd: 500_000 } };
    await done(ask("POST", "/agents", { id: "bob", agent: "echo", budgets }));
    const { page, complaints } = await open();
    await page.goto(`${served.url}/#bob`);
    const money = page.getByRole("region", { name: "Money" });
    const row = (name: RegExp) => money.getByRole("listitem").filter({ hasText: name });
    await row(/^All of it\s*Spent today\$0\.00Left\$1\.00A day\$1\.00$/).waitFor();
    await row(/^\/compute\s*Spent today\$0\.00Left\$0\.50A day\$0\.50$/).waitFor();
    await page.getByRole("link", { name: /^bob .* \$0\.00 of \$1\.00 today/ }).waitFor();

    const { job_id } = await json<{ job_id: string }>(modelCall(scene, "bob", "toy/stalls"));
    await row(/^\/compute\s*Spent today\$0\.00Reserved\$0\.02Left\$0\.48/).waitFor();
    const left = server.left();
    await page.getByRole("region", { name: "Model calls" }).getByText("Hello").waitFor();
    await done(ask("PUT", `/agents/bob/compute/jobs/${job_id}/ctl`, "cancel"));
    await left;
    // What a half answer has cost nobody says, so that all of it counts.
    await row(/^\/compute\s*Spent today\$0\.02Left\$0\.48/).waitFor();
    await page.getByRole("link", { name: /^bob .* \$0\.02 of \$1\.00 today/ }).waitFor();
    const more = { per_day_micro_usd: 2_000_000, approval_threshold_micro_usd: 143 };
    await done(ask("PATCH", "/agents/bob", { budgets: { "/": more } }));
    await row(/^All of it.*Left\$1\.98A day\$2\.00Asks above\$0\.000143$/).waitFor();

    await page.goto(`${served.url}/#abc`);
    await money.getByText("agentd budget abc --set '$1/day'").waitFor();
    equal(await money.getByRole("listitem").count(), 0);
    deepEqual(complaints, []);
  });
});

test("what an agent asks is answered by the operator, and by nobody else", async () => {
  await withSellers(async (scene) => {
    const { served, place, ask, open } = scene;
    const budgets = { "/": { ...DAY, approval_threshold_micro_usd: 10_000 } };
    await done(ask("POST", "/agents", { id: "bob", agent: "echo", budgets }));
    const { page, complaints } = await open();
    await page.goto(`${served.url}/#bob`);
    await page.getByRole("region", { name: "Money" }).waitFor();
    equal(await page.getByRole("region", { name: /asks/ }).count(), 0);

    const asked = await modelCall(scene, "bob", "toy/stalls", HOSTILE);
    match(await asked.text(), /approval_required/);
    const questions = page.getByRole("region", { name: "It asks" });
    await questions.getByText("call /compute/new for up to $0.02").waitFor();
    await questions.getByRole("region", { name: "Request" }).getByText(HOSTILE.slice(0, 10))
      .waitFor();
    await page.getByRole("link", { name: /^bob .* 1 question/ }).waitFor();
    // Who is on this machine sees it; the answer is the operator's.
    await questions.getByText("Only the operator answers.").waitFor();
    equal(await page.getByRole("button", { name: "Approve" }).count(), 0);
    equal(await page.getByRole("button", { name: "Deny" }).count(), 0);
    const use = questions.getByRole("button", { name: "Use the operator's token" });
    await use.click();
    await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    await use.click();
    const token = (await Deno.readTextFile(`${place.dir}/.agentd/token`)).trim();
    await page.getByRole("dialog").getByLabel("Token").fill(token);
    await page.getByRole("dialog").getByRole("button", { name: "Use it" }).click();

    await questions.getByRole("button", { name: "Approve" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("status").getByText("call /compute/new may pass, once.").waitFor();
    equal(await page.getByRole("button", { name: "Approve" }).count(), 0);
    equal(await page.evaluate(focused), "Question", "not lost with the button");
    await done(modelCall(scene, "bob", "toy/stalls", HOSTILE));

    const other = await modelCall(scene, "bob", "toy/stalls", "and this?");
    match(await other.text(), /approval_required/);
    await questions.getByRole("button", { name: "Deny" }).click();
    await page.getByRole("status").getByText("call /compute/new was denied.").waitFor();
    const denied = await modelCall(scene, "bob", "toy/stalls", "and this?");
    match(await denied.text(), /permission_denied/);

    // What is answered elsewhere goes away by itself.
    match(await (await modelCall(scene, "bob", "toy/stalls", "third")).text(), /approval_required/);
    await questions.getByRole("button", { name: "Approve" }).waitFor();
    const [{ id }] = await json<[{ id: string }]>(ask("GET", "/agents/bob/approvals/open"));
    equal((await place.run(["deny", id])).code, 0);
    await questions.waitFor({ state: "hidden" });
    equal(await page.locator("img").count(), 0);
    deepEqual(complaints, []);
  });
});

test("model calls are told with what they say, and who sells models with whether they are up", async () => {
  await withSellers(async (scene, server) => {
    const { served, ask, open } = scene;
    await done(modelCall(scene, "abc", "echo"));
    const { page, complaints } = await open();
    await page.goto(`${served.url}/#abc`);
    const calls = page.getByRole("region", { name: "Model calls" });
    const row = (name: string) => calls.getByRole("listitem").filter({ hasText: name });
    await row("echo").getByText("complete").waitFor();
    await row("echo").getByText("$0.00", { exact: true }).waitFor();
    equal(await row("echo").getByText("one two three").isVisible(), false);
    await row("echo").getByText("complete").click();
    await row("echo").getByText("one two three").waitFor();

    // One that runs is shown as it is said, and as it ends.
    const { job_id } = await json<{ job_id: string }>(modelCall(scene, "abc", "here/stalls"));
    await row("here/stalls").getByText("streaming").waitFor();
    await row("here/stalls").getByText("Hello").waitFor();
    const left = server.left();
    await done(ask("PUT", `/agents/abc/compute/jobs/${job_id}/ctl`, "cancel"));
    await left;
    await row("here/stalls").locator("summary").getByText("cancelled").waitFor();
    const { job_id: bad } = await json<{ job_id: string }>(
      modelCall(scene, "abc", "here/refuses"),
    );
    ok(bad);
    await row("here/refuses").getByText("failed", { exact: true }).waitFor();
    await row("here/refuses").locator("summary").click();
    await row("here/refuses").getByText(/^invalid_request: /).waitFor();

    const models = page.getByRole("region", { name: "Models", exact: true });
    const seller = (name: string) =>
      models.locator("details").filter({ hasText: new RegExp(`^${name}`) });
    await seller("echo").getByText("up", { exact: true }).waitFor();
    await seller("gone").getByText("down", { exact: true }).waitFor();
    await seller("toy").locator("summary").click();
    const paid = seller("toy").getByRole("listitem").filter({ hasText: /^stalls/ });
    await paid.getByText("$1.00 in, $2.50 out a million tokens").waitFor();
    await seller("toy").getByRole("listitem").filter({ hasText: /^silent/ })
      .getByText("price not known").waitFor();
    await seller("here").locator("summary").click();
    await seller("here").getByRole("listitem").filter({ hasText: /^stalls/ }).getByText("free")
      .waitFor();
    deepEqual(complaints, []);
  });
});

test("what the trace tells of shows at once, and not at the next look at the agents", async () => {
  await withSellers(async (scene) => {
    const { served, ask, open } = scene;
    const budgets = { "/": { ...DAY, approval_threshold_micro_usd: 10_000 } };
    await done(ask("POST", "/agents", { id: "bob", agent: "echo", budgets }));
    const { page } = await open();
    await page.goto(`${served.url}/#bob`);
    await page.getByText("None in the last days.").waitFor();
    // From here on, the next look never ends.
    const looked = page.waitForRequest(/\/agents\?/);
    await page.route(/\/agents\?/, () => {});
    await looked;
    match(await (await modelCall(scene, "bob", "toy/stalls")).text(), /approval_required/);
    await page.getByRole("region", { name: "It asks" }).getByText("up to $0.02").waitFor();
    await done(modelCall(scene, "bob", "echo"));
    await page.getByRole("region", { name: "Model calls" }).getByText("complete").waitFor();
  });
});

test("an assistant's words are shown as they come, and its answer takes their place", async () => {
  await withSellers(async (scene, server) => {
    const { served, ask, open } = scene;
    const config = { model: "here/stalls" };
    await done(ask("POST", "/agents", { id: "helper", agent: "assistant", config }));
    const { page, complaints } = await open();
    await page.goto(`${served.url}/#helper`);
    await page.getByLabel("Message").fill("hi");
    await page.getByLabel("Message").press("Enter");
    const said = page.getByRole("log", { name: "Conversation" });
    const coming = said.getByText("Hello", { exact: true });
    await coming.waitFor();
    const left = server.left();
    const { entries: [job] } = await json<{ entries: [{ name: string }] }>(
      ask("GET", "/agents/helper/compute/jobs"),
    );
    await done(ask("PUT", `/agents/helper/compute/jobs/${job.name}/ctl`, "cancel"));
    await left;
    await said.getByText("Stopped: the model call was cancelled.").waitFor();
    equal(await coming.count(), 0);
    deepEqual(complaints, []);
  });
});

test("money, questions and models fit a phone, stand out in the light and in the dark, and have names", async () => {
  await withSellers(async (scene) => {
    const { served, place, ask, open } = scene;
    const budgets = { "/": { ...DAY, per_tick_micro_usd: 123_456 }, "/compute": DAY };
    await done(ask("POST", "/agents", { id: "bob", agent: "echo", budgets }));
    await done(modelCall(scene, "bob", "here/stalls"));
    await done(modelCall(scene, "bob", "toy/stalls"));
    const threshold = { "/": { ...DAY, approval_threshold_micro_usd: 10_000 } };
    await done(ask("PATCH", "/agents/bob", { budgets: threshold }));
    const long = "w".repeat(300);
    match(await (await modelCall(scene, "bob", "toy/stalls", long)).text(), /approval_required/);
    const token = (await Deno.readTextFile(`${place.dir}/.agentd/token`)).trim();
    for (const colorScheme of ["light", "dark"] as const) {
      for (const width of [320, 390, 1200]) {
        const { page, context, complaints } = await open({ colorScheme, width });
        const where = `${colorScheme} ${width}`;
        const fits = async (what: string) => {
          equal(await page.evaluate(overflow), 0, `${where}, ${what}: it is wider than its window`);
          deepEqual(await page.evaluate(faintText), [], `${where}, ${what}`);
          deepEqual(await page.evaluate(unnamed), [], `${where}, ${what}`);
        };
        await page.goto(`${served.url}/#bob`);
        await page.locator("#providers summary").filter({ hasText: "here" }).click();
        await page.locator("#jobs").getByText("Hello").nth(1).waitFor();
        await page.getByRole("button", { name: "Use the operator's token" }).click();
        await fits("a question of which it is told who answers it");
        await page.getByRole("dialog").getByLabel("Token").fill(token);
        await page.getByRole("dialog").getByRole("button", { name: "Use it" }).click();
        await page.getByRole("button", { name: "Approve" }).waitFor();
        await fits("a question with its answers");
        deepEqual(complaints, [], where);
        await context.close();
      }
    }
  });
});
