/** Sessions in containers, on the page, in a real browser, from a real engine. */
import { deepEqual, equal, match, ok } from "../assert.ts";
import { busyboxImage, MISSING_DOCKER } from "../docker/engine.ts";
import { needs } from "../needs.ts";
import { BROWSER } from "./browser.ts";
import { fonts } from "./in_page.js";
import { scene } from "./scene.ts";

const test = needs(BROWSER === undefined ? "no chromium is installed" : MISSING_DOCKER);
const HOSTILE = `<img src=x onerror="document.title='taken'">`;

test("sessions are told with what they print, as they print it, and how they ended", async () => {
  const image = await busyboxImage();
  const settings = { containers: { images: [image], docker: { spares: 0 } } };
  await scene(async ({ served, ask, open }) => {
    const { page, complaints } = await open();
    await page.goto(`${served.url}/#abc`);
    await page.getByRole("region", { name: "Models" }).waitFor();
    const sessions = page.getByRole("region", { name: "Sessions" });
    equal(await sessions.isVisible(), false);

    const request = {
      commands: ['echo "begun $SAID"; until [ -f go ]; do sleep 0.1; done; exit 3'],
      env: { SAID: HOSTILE },
      notify: false,
    };
    const begun = await ask("POST", "/agents/abc/containers/new", request);
    ok(begun.ok);
    const { session_id } = await begun.json() as { session_id: string };
    // A caller's own session is told by no trace: the page looks at its agent now and then.
    const row = sessions.getByRole("listitem").filter({ hasText: image });
    await row.getByText("running").waitFor();
    const printed = row.getByText(`begun ${HOSTILE}`);
    await printed.waitFor();
    match(await printed.evaluate(fonts), /monospace$/);
    const go = await ask("PUT", `/agents/abc/containers/sessions/${session_id}/files/go`, "go");
    ok(go.ok, await go.text());
    await row.locator("summary").getByText("failed").waitFor();
    await row.getByText("[exit code 3]").waitFor();
    await row.getByText("agent_error: command 1 of 1 ended with exit code 3").waitFor();
    equal(await page.title() === "taken", false);
    deepEqual(complaints, []);
  }, { settings, env: { PATH: Deno.env.get("PATH") ?? "" } });
});
