/** Images by the real program: those of a real engine are listed, and more are fetched from a registry, by the server and for an operator alone. */
import { deepEqual, equal, match } from "../assert.ts";
import { busyboxImage, docker, testWithDocker } from "../docker/engine.ts";
import { startRegistry } from "../docker/registry.ts";
import { inPlace } from "./server.ts";

const PATH = { PATH: Deno.env.get("PATH") ?? "" };

interface Provider {
  readonly provider_id: string;
  readonly status: string;
  readonly default_images: readonly string[];
  readonly images: readonly { readonly name: string }[];
}

testWithDocker(
  "images are listed and fetched, line by line, and what is refused says why",
  async () => {
    const busybox = await busyboxImage();
    await using registry = startRegistry();
    try {
      await inPlace(async (place) => {
        await Deno.mkdir(`${place.dir}/.agentd`);
        await Deno.writeTextFile(
          `${place.dir}/.agentd/agentd.json`,
          JSON.stringify({ containers: { images: [busybox, registry.image] } }),
        );
        const served = await place.serve(undefined, { env: PATH });
        const [docker] = JSON.parse((await place.run(["images", "--json"])).out) as Provider[];
        deepEqual([docker!.provider_id, docker!.status], ["docker", "up"]);
        deepEqual(docker!.default_images, [busybox, registry.image]);
        const before = (await place.run(["images"])).out;
        match(
          before,
          /^docker {2}Docker \S+ \(linux\/\w+\)\nIMAGE +SIZE +MADE +AGENTS MAY USE IT\n/,
        );
        match(before, new RegExp(`\n${busybox} +\\S+ \\w+ +.* +by default\n`));
        match(before, new RegExp(`\nnot here: ${registry.image} .* images pull\n$`));

        const denied = await fetch(`${served.url}/images/pull`, {
          method: "POST",
          body: JSON.stringify({ image: registry.image }),
        });
        deepEqual([denied.status, (await denied.json()).code], [403, "permission_denied"]);

        // Without a name: what agents may use by default and is not here.
        const pulled = await place.run(["images", "pull"]);
        equal(pulled.code, 0, pulled.err);
        equal(pulled.err, `1 image: ${registry.image}\n`);
        match(pulled.out, new RegExp(`^${registry.image} {3}\\S+ \\w+\n$`));
        equal((await place.run(["images", "pull"])).out, "All default images are here.\n");
        match((await place.run(["images"])).out, new RegExp(`\n${registry.image} .*by default\n`));

        const token = (await Deno.readTextFile(`${place.dir}/.agentd/token`)).trim();
        const again = await fetch(`${served.url}/images/pull`, {
          method: "POST",
          headers: { authorization: `Bearer ${token}` },
          body: JSON.stringify({ image: registry.image, provider: "docker" }),
        });
        const lines = (await again.text()).trimEnd().split("\n").map((line) => JSON.parse(line));
        match(lines[0].line, /^1: Pulling from /);
        equal(lines.at(-1).image.name, registry.image);
        equal(lines.filter((line) => "image" in line).length, 1);

        const wrong: [string, RegExp][] = [
          [registry.none, /the registry has no such image.*\(not_found\)/],
          ["127.0.0.1:1/nothing:1", /\(provider_unavailable\)/],
          ["No Image", /no name of an image.*\(invalid_request\)/],
        ];
        for (const [name, why] of wrong) {
          const { code, out, err } = await place.run(["images", "pull", name]);
          deepEqual([code === 0, out], [false, ""]);
          match(err, why);
        }
        equal((await served.stop()).code, 0);
      });
    } finally {
      await docker(["rmi", "--force", registry.image]);
    }
  },
);

Deno.test("without Docker the server runs, and says what to do", async () => {
  await inPlace(async (place) => {
    const served = await place.serve(undefined, { env: { PATH: place.dir } });
    const { out } = await place.run(["images"]);
    match(out, /^docker\ndown: there is no docker on this machine; install Docker/);
    const pulled = await place.run(["images", "pull", "busybox:1.37"]);
    match(pulled.err, /install Docker/);
    const request = JSON.stringify({ commands: ["true"] });
    const { code, err } = await place.run(["call", "abc/containers/new", request]);
    deepEqual([code === 0, /install Docker.*provider_unavailable/.test(err)], [false, true], err);
    equal((await served.stop()).code, 0);
  });
});

Deno.test("settings of containers that cannot be are refused at the start", async () => {
  await inPlace(async (place) => {
    await Deno.mkdir(`${place.dir}/.agentd`);
    await Deno.writeTextFile(
      `${place.dir}/.agentd/agentd.json`,
      JSON.stringify({ containers: { docker: { privileged: true } } }),
    );
    const { code, err } = await place.run([
      "serve",
      "--home",
      ".agentd",
      "--listen",
      "127.0.0.1:0",
    ]);
    deepEqual([code === 0, /privileged/.test(err)], [false, true], err);
  });
});
