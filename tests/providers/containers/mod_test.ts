import assert from "../../assert.ts";
import { hasCode } from "../../../src/fs/error.ts";
import {
  containerProviders,
  type ContainerProvidersOptions,
  DEFAULT_IMAGES,
} from "../../../src/providers/containers/mod.ts";

/** None of these tests needs an engine. */
const DEAD_ENGINE = { DOCKER_HOST: "unix:///nonexistent/docker.sock" };
const options = (more: object = {}) =>
  ({ home: "here", env: DEAD_ENGINE, ...more }) as ContainerProvidersOptions;

Deno.test("without settings there is Docker, free, with the default images", async () => {
  const providers = containerProviders(options());
  assert.deepEqual(providers.list().map(({ id }) => id), ["docker"]);
  const { price, default_images } = providers.get("docker")!.info();
  assert.deepEqual(price, { micro_usd_per_second: 0, micro_usd_per_session: 0 });
  assert.deepEqual(default_images, [...DEFAULT_IMAGES]);
  assert.equal(providers.get("podman"), undefined);
  await providers.refresh();
  assert.equal(providers.get("docker")!.health().status, "down");
  await providers.close();
});

Deno.test("settings say its price and its images, or that there is none", async () => {
  const docker = {
    price_micro_usd_per_second: 2,
    price_micro_usd_per_session: 30,
    runtime: "runsc",
    network: "agents",
  };
  const providers = containerProviders(options({ docker, images: ["alpine:3.22"] }));
  const { price, default_images } = providers.get("docker")!.info();
  assert.deepEqual(price, { micro_usd_per_second: 2, micro_usd_per_session: 30 });
  assert.deepEqual(default_images, ["alpine:3.22"]);
  await providers.close();
  assert.deepEqual(containerProviders(options({ docker: { enabled: false } })).list(), []);
});

Deno.test("settings that cannot be are refused with the place", () => {
  const bad: [object, RegExp][] = [
    [{ docker: { network: "host" } }, /docker\.network/],
    [{ docker: { network: "none" } }, /docker\.network/],
    [{ docker: { network: "container:other" } }, /docker\.network/],
    [{ docker: { runtime: "--privileged" } }, /docker\.runtime/],
    [{ docker: { price_micro_usd_per_second: 0.5 } }, /price_micro_usd_per_second/],
    [{ docker: { privileged: true } }, /privileged/],
    [{ docker: { spares: -1 } }, /docker\.spares/],
    [{ docker: { spares: 33 } }, /docker\.spares/],
    [{ images: [] }, /images/],
    [{ images: ["--all"] }, /images\[0\]/],
    [{ images: [`alpine@sha256:${"0".repeat(64)}`] }, /digest/],
    [{ git_image: "a b" }, /git_image/],
    [{ image: "alpine:3.22" }, /image/],
    [{ home: "a=b" }, /home/],
    [{ home: "" }, /home/],
  ];
  for (const [more, says] of bad) {
    assert.throws(() => containerProviders(options(more)), (error) => {
      assert.match(String(error), says);
      return hasCode(error, "invalid_request");
    });
  }
});
