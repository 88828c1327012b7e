import { deepEqual, equal, match, rejects, throws } from "../assert.ts";
import { exitOf, lineOf } from "../../src/cli/exit.ts";
import { isLoopback, listen, parseListen, urlOf } from "../../src/cli/listen.ts";

const hello = () => new Response("hello");

Deno.test("an address is read as people write it", () => {
  const tcp = (hostname: string, port: number) => ({ kind: "tcp", hostname, port });
  deepEqual(parseListen("127.0.0.1:8080", "/"), tcp("127.0.0.1", 8080));
  deepEqual(parseListen("localhost:1", "/"), tcp("127.0.0.1", 1));
  deepEqual(parseListen("8080", "/"), tcp("127.0.0.1", 8080));
  deepEqual(parseListen("[::1]:8080", "/"), tcp("::1", 8080));
  deepEqual(parseListen("my.host:0", "/"), tcp("my.host", 0));
  deepEqual(parseListen("unix:a.sock", "/run"), { kind: "unix", path: "/run/a.sock" });
  for (const text of ["", "x", "1.2.3.4", ":8080", "a:b:1", "127.0.0.1:70000", "unix:", "::1:80"]) {
    throws(() => parseListen(text, "/"), (error: unknown) => exitOf(error) === 2, text);
  }
});

Deno.test("only loopback is this machine alone", () => {
  for (const name of ["127.0.0.1", "127.9.9.9", "::1", "localhost"]) equal(isLoopback(name), true);
  for (const name of ["0.0.0.0", "::", "10.0.0.1", "127.0.0.1.evil.example"]) {
    equal(isLoopback(name), false, name);
  }
  equal(urlOf({ kind: "tcp", hostname: "::", port: 1 }), "http://[::1]:1");
});

Deno.test("a port that is taken is told, and which is free", async () => {
  const first = await listen({ kind: "tcp", hostname: "127.0.0.1", port: 0 }, hello);
  const second = listen(first.address, hello);
  await rejects(second, (error: unknown) => {
    const line = lineOf(error);
    match(line, /is used by another program\. Try --listen 127\.0\.0\.1:\d+$/);
    return exitOf(error) === 1;
  });
  await first.stop(60_000);
});

Deno.test("a socket is its owner's alone, replaces only what nobody answers at, and is gone afterwards", async () => {
  const dir = Deno.makeTempDirSync();
  const path = `${dir}/a.sock`;
  // What a killed server leaves: the name, with nobody behind it.
  const killed = Deno.listen({ transport: "unix", path: `${dir}/old` });
  Deno.renameSync(`${dir}/old`, path);
  killed.close();
  equal(Deno.lstatSync(path).isSocket, true);
  const first = await listen({ kind: "unix", path }, hello);
  equal(Deno.statSync(path).mode! & 0o777, 0o600);
  const client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
  equal(await (await fetch("http://localhost/", { client })).text(), "hello");
  client.close();
  await rejects(listen({ kind: "unix", path }, hello), /is used by another program/);
  const missing = listen({ kind: "unix", path: `${dir}/none/a.sock` }, hello);
  await rejects(missing, new RegExp(`there is no directory ${dir}/none$`));
  await first.stop(60_000);
  throws(() => Deno.statSync(path), Deno.errors.NotFound);
  Deno.writeTextFileSync(path, "a file of somebody's");
  await rejects(listen({ kind: "unix", path }, hello), /is no socket/);
  equal(Deno.readTextFileSync(path), "a file of somebody's");
  Deno.removeSync(dir, { recursive: true });
});

Deno.test("a request that does not end holds the stop up for its time and no longer", async () => {
  const begun = Promise.withResolvers<void>();
  const server = await listen({ kind: "tcp", hostname: "127.0.0.1", port: 0 }, () => {
    begun.resolve();
    return forever.promise;
  });
  const forever = Promise.withResolvers<Response>();
  const answer = fetch(urlOf(server.address));
  await begun.promise;
  await server.stop(1);
  await rejects(fetch(urlOf(server.address)));
  forever.resolve(new Response("late"));
  equal(await (await answer).text(), "late");
});
