import assert from "../assert.ts";
import { busyboxImage, docker, dockerSays, testWithDocker } from "./engine.ts";

const IN_IMAGE = ["run", "--rm", "--network", "none"];

testWithDocker(
  "the busybox image has a shell, its applets, a user without rights and a work directory",
  async () => {
    const name = await busyboxImage();
    const script = "id -u nobody; pwd; for one in mkfifo dd cat tar awk; do which $one; done";
    const said = await dockerSays([...IN_IMAGE, name, "sh", "-c", script]);
    assert.deepEqual(said.split("\n"), [
      "65534",
      "/work",
      ...["mkfifo", "dd", "cat", "tar", "awk"].map((one) => `/bin/${one}`),
    ]);
  },
);

testWithDocker("whoever wants the image gets the one that is there", async () => {
  const id = () => dockerSays(["image", "inspect", "--format", "{{.Id}}", "agentd-test/busybox:1"]);
  await busyboxImage();
  const before = await id();
  const program = "import { busyboxImage } from './tests/docker/engine.ts'; await busyboxImage();";
  const others = Array.from({ length: 3 }, () =>
    new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "-q", "--ext=ts", "-"],
      cwd: new URL("../../", import.meta.url),
      stdin: "piped",
    }).spawn());
  for (const other of others) {
    const writer = other.stdin.getWriter();
    await writer.write(new TextEncoder().encode(program));
    await writer.close();
  }
  for (const other of others) assert.equal((await other.status).code, 0);
  assert.equal(await id(), before);
});

testWithDocker("an end that is no good is told as it is", async () => {
  const { code, stderr } = await docker(["image", "inspect", "agentd-test/none:1"]);
  assert.equal(code, 1);
  assert.match(stderr, /No such image/i);
});
