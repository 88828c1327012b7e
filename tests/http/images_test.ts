/** Images over HTTP: told as they are, fetched line by line, refused where nothing has begun, and let go of when nobody listens any more. */
import assert from "../assert.ts";
import type { ContainerProvider } from "../../src/core/containers.ts";
import { FileError } from "../../src/fs/error.ts";
import { dir, tree } from "../../src/fs/tree.ts";
import type { App } from "../../src/http/app.ts";
import { type Client, connect } from "../../src/http/client.ts";
import { IMAGE, running, scripted } from "../services/containers/scripted.ts";
import { appOf, fetchOf, LOCAL, TOKEN } from "./served.ts";

type Pull = ContainerProvider["pull"];

async function withImages(
  pull: Pull | undefined,
  run: (client: Client, app: App) => Promise<void>,
): Promise<void> {
  const engine = scripted();
  if (pull) engine.pull = pull;
  const app = appOf(tree(dir({})), pull ? { containers: running(engine) } : {});
  await run(connect({ url: "http://localhost", token: TOKEN, fetch: fetchOf(app) }), app);
}

function asked(image: string, signal?: AbortSignal): Request {
  return new Request("http://localhost/images/pull", {
    method: "POST",
    headers: { authorization: `Bearer ${TOKEN}` },
    body: JSON.stringify({ image }),
    ...(signal ? { signal } : {}),
  });
}

Deno.test("images: those of each provider, and what agents may use by default", async () => {
  await withImages(() => Promise.resolve(), async ({ images }) => {
    assert.deepEqual(await images.list(), [{
      provider_id: "docker",
      status: "up",
      default_images: [IMAGE, "python:3"],
      images: [{ name: IMAGE, id: "sha256:1", size_bytes: 1, created_at: null }],
    }]);
  });
});

Deno.test("images: each line comes as it is told, and then the image", async () => {
  const go = Promise.withResolvers<void>();
  await withImages(async (_, tell) => {
    tell("first");
    await go.promise;
    tell("last");
  }, async ({ images }) => {
    const told: string[] = [];
    const image = await images.pull(IMAGE, {
      tell(line) {
        told.push(line);
        // The engine goes on only now: the line has come before its end.
        go.resolve();
      },
    });
    assert.deepEqual([told, image.name], [["first", "last"], IMAGE]);
  });
});

Deno.test("images: what is refused before the first line has the status of its refusal", async () => {
  const refuse: Pull = (image) =>
    Promise.reject(new FileError("not_found", "pull", image, { detail: "no such image" }));
  await withImages(refuse, async ({ images }, app) => {
    assert.equal((await app(asked("none:1"), LOCAL)).status, 404);
    await assert.rejects(images.pull("none:1", { tell() {} }), {
      code: "not_found",
      detail: "no such image",
    });
  });
});

Deno.test("images: what fails in the middle is told at the end, and what is fetched must be there", async () => {
  await withImages((image, tell) => {
    tell("first");
    return Promise.reject(new FileError("io", "pull", image, { detail: "no way there" }));
  }, async ({ images }, app) => {
    const response = await app(asked("x:1"), LOCAL);
    assert.equal(response.status, 200);
    const lines = (await response.text()).trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual([lines[0], lines[1].error.code], [{ line: "first" }, "provider_unavailable"]);
    assert.match(lines[1].error.detail, /^no way there; /);
    await assert.rejects(images.pull("x:1", { tell() {} }), { code: "provider_unavailable" });
  });
  await withImages(() => Promise.resolve(), async ({ images }) => {
    await assert.rejects(images.pull("other:1", { tell() {} }), { code: "not_found" });
  });
});

Deno.test("images: whoever leaves ends the fetching", async () => {
  const ended = Promise.withResolvers<void>();
  await withImages((_, tell, signal) => {
    tell("first");
    signal.addEventListener("abort", () => ended.resolve());
    return ended.promise;
  }, async (_, app) => {
    const { body } = await app(asked(IMAGE), LOCAL);
    const reader = body!.getReader();
    assert.equal(new TextDecoder().decode((await reader.read()).value), '{"line":"first"}\n');
    await reader.cancel();
    await ended.promise;
  });
});

Deno.test("images: a server without containers has none, and says so", async () => {
  await withImages(undefined, async ({ images }) => {
    assert.deepEqual(await images.list(), []);
    await assert.rejects(images.pull(IMAGE, { tell() {} }), { code: "not_supported" });
  });
});
