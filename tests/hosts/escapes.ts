/** What hostile code tries, as text that is run as an agent. Each attempt answers what it got, which must be nothing but a refusal. */

/** What the attempts are after; each is real, so that an escape leaves a trace. */
export interface Targets {
  /** A text file with a secret, a JavaScript module and a JSON file with the same. */
  readonly secretFile: string;
  readonly secretModule: string;
  readonly secretJson: string;
  /** Does not exist, in a directory that everybody may write to. */
  readonly newFile: string;
  /** A port on which somebody listens. */
  readonly port: number;
}

export const SECRET = "hunter2-in-a-file";

/** The value of `AGENTD_CANARY` in the runtime's environment. */
export const CANARY = "hunter2-in-the-environment";

/** The body of an async function: `t` are the targets, `node(name)` gives a built-in module. It returns what it got. */
export const ATTEMPTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "reading files": {
    "Deno.readTextFile": "return await Deno.readTextFile(t.secretFile)",
    "Deno.readTextFileSync": "return Deno.readTextFileSync(t.secretFile)",
    "Deno.open": "return (await Deno.open(t.secretFile)).readable",
    "Deno.stat": "return (await Deno.stat(t.secretFile)).size",
    "Deno.readDir": "for await (const e of Deno.readDir('/etc')) return e.name",
    "Deno.readLink": "return Deno.readLinkSync('/proc/self/exe')",
    "Deno.realPath": "return Deno.realPathSync('/proc/self/cwd')",
    "fs.readFileSync": "return node('fs').readFileSync(t.secretFile, 'utf8')",
    "fs.promises": "return await node('fs').promises.readFile(t.secretFile, 'utf8')",
    "fs.openSync": "return node('fs').openSync(t.secretFile, 'r')",
    "fs.statSync": "return node('fs').statSync(t.secretFile).size",
    "fs.opendirSync": "return node('fs').opendirSync('/').readSync().name",
    "fs.createReadStream":
      "for await (const c of node('fs').createReadStream(t.secretFile)) return String(c)",
    "/proc/self/environ": "return node('fs').readFileSync('/proc/self/environ', 'utf8')",
    "fetch of a file": "return await (await fetch('file://' + t.secretFile)).text()",
    "import of a module": "return (await import('file://' + t.secretModule)).default",
    "import of JSON":
      "return (await import('file://' + t.secretJson, { with: { type: 'json' } })).default.secret",
    "import of text as a module": "return await import('file://' + t.secretFile)",
    "import within data:":
      "return (await import('data:text/javascript,' + encodeURIComponent(`export { default } from ${JSON.stringify('file://' + t.secretModule)}`))).default",
    "import of JSON within data:":
      "return (await import('data:text/javascript,' + encodeURIComponent(`export { default } from ${JSON.stringify('file://' + t.secretJson)} with { type: 'json' }`))).default.secret",
    "import from new Function":
      "return (await new Function('s', 'return import(s)')('file://' + t.secretModule)).default",
    "import from another context":
      "return await node('vm').runInNewContext('import(s)', { s: 'file://' + t.secretModule })",
    "require": "return node('module').createRequire('file:///x.js')(t.secretJson).secret",
    "require of a module": "return node('module').createRequire('file:///x.js')(t.secretModule)",
    "node:sqlite": "return new (node('sqlite').DatabaseSync)(t.secretFile)",
    "Deno.openKv": "return await Deno.openKv(t.newFile)",
    "glob": "return node('fs').globSync('/etc/*')",
  },
  "writing files": {
    "Deno.writeTextFile": "return await Deno.writeTextFile(t.newFile, 'x')",
    "Deno.create": "return Deno.createSync(t.newFile)",
    "Deno.makeTempFile": "return Deno.makeTempFileSync()",
    "Deno.remove": "return Deno.removeSync(t.secretFile)",
    "Deno.mkdir": "return Deno.mkdirSync(t.newFile)",
    "Deno.symlink": "return Deno.symlinkSync('/etc', t.newFile)",
    "Deno.chmod": "return Deno.chmodSync(t.secretFile, 0o777)",
    "fs.writeFileSync": "return node('fs').writeFileSync(t.newFile, 'x')",
    "fs.mkdtempSync": "return node('fs').mkdtempSync('/tmp/x')",
    "Cache API":
      "const c = await caches.open('x'); await c.put('http://a.b/', new Response('kept')); return 'kept'",
    "localStorage": "localStorage.setItem('a', 'b'); return 'kept'",
    "raw cache": "const { ops } = Deno[Deno.internal].core; return ops.op_cache_storage_open('x')",
    "heap snapshot": "return node('v8').writeHeapSnapshot(t.newFile)",
    "report": "return node('process').report.writeReport(t.newFile).length || undefined.x",
    "inspector": "return node('inspector').open(0)",
    "node:sqlite": "return new (node('sqlite').DatabaseSync)(t.newFile)",
    "ATTACH":
      "return new (node('sqlite').DatabaseSync)(':memory:').prepare(`ATTACH '${t.newFile}' AS y`).run()",
  },
  "the network": {
    "Deno.connect": "return await Deno.connect({ port: t.port, hostname: '127.0.0.1' })",
    "Deno.listen": "return Deno.listen({ port: 0 })",
    "Deno.listenDatagram":
      "return Deno.listenDatagram({ port: 0, transport: 'udp', hostname: '127.0.0.1' })",
    "Deno.serve": "return Deno.serve({ port: 0, onListen() {} }, () => new Response())",
    "fetch": "return (await fetch(`http://127.0.0.1:${t.port}/`)).status",
    "WebSocket":
      "const w = new WebSocket(`ws://127.0.0.1:${t.port}/`); return await new Promise((ok, no) => { w.onopen = ok; w.onerror = no; })",
    "EventSource":
      "const w = new EventSource(`http://127.0.0.1:${t.port}/`); return await new Promise((ok, no) => { w.onopen = ok; w.onerror = () => { w.close(); no('refused'); }; })",
    "node:net":
      "return await new Promise((ok, no) => node('net').connect(t.port, '127.0.0.1').on('connect', ok).on('error', no))",
    "node:http":
      "return await new Promise((ok, no) => node('http').get(`http://127.0.0.1:${t.port}/`, ok).on('error', no))",
    "Deno.resolveDns": "return await Deno.resolveDns('example.com', 'A')",
    "dns.lookup":
      "return await new Promise((ok, no) => node('dns').lookup('example.com', (e, a) => e ? no(e) : ok(a)))",
    "dns.resolve4":
      "return await new Promise((ok, no) => node('dns').resolve4('example.com', (e, a) => e ? no(e) : ok(a)))",
    "import over http": "return await import(`http://127.0.0.1:${t.port}/x.js`)",
    "import over https": "return await import('https://raw.githubusercontent.com/x/y/main/z.js')",
    "import from npm": "return await import('npm:' + 'left-pad')",
    "import from jsr": "return await import('jsr:' + '@std/path')",
    "unix socket": "return await Deno.connect({ path: '/var/run/docker.sock', transport: 'unix' })",
  },
  "the network, in a way that ends the hook": {
    "node:dgram":
      "return await new Promise((ok, no) => node('dgram').createSocket('udp4').on('error', no).bind(0, ok))",
  },
  "programs, libraries, processes": {
    "Deno.Command": "return new Deno.Command('/usr/bin/touch', { args: [t.newFile] }).outputSync()",
    "Deno.Command of itself": "return new Deno.Command(Deno.execPath()).outputSync()",
    "child_process.spawnSync":
      "const r = node('child_process').spawnSync('touch', [t.newFile]); if (r.error) throw r.error; return r.status",
    "child_process.execSync": "return node('child_process').execSync('id')",
    "child_process.fork": "return node('child_process').fork(t.secretModule)",
    "Deno.dlopen": "return Deno.dlopen('libc.so.6', { getpid: { parameters: [], result: 'i32' } })",
    "process.dlopen":
      "return node('process').dlopen({ exports: {} }, '/lib/x86_64-linux-gnu/libc.so.6')",
    "a native addon": "return node('module').createRequire('file:///x.js')('/x.node')",
    "Deno.UnsafePointerView":
      "return new Deno.UnsafePointerView(Deno.UnsafePointer.create(1n)).getInt8()",
    "signal the parent": "return node('process').kill(node('process').ppid, 0)",
    "end the parent": "return node('process').kill(node('process').ppid, 'SIGKILL')",
    "signal its group": "return node('process').kill(0, 0)",
    "signal everybody": "return node('process').kill(-1, 0)",
    "signal init": "return node('process').kill(1, 0)",
    "Deno.kill": "return Deno.kill(Deno.ppid, 'SIGTERM') ?? 'sent'",
    "chdir": "node('process').chdir('/tmp'); return 'done'",
    "setuid": "return node('process').setuid(0) ?? 'done'",
    "priority": "return node('os').setPriority(0, 5) ?? 'done'",
  },
  "the environment": {
    "Deno.env": "return Deno.env.toObject()",
    "one variable": "return Deno.env.get('AGENTD_CANARY')",
    "process.env": "return node('process').env.AGENTD_CANARY",
    "names in process.env": "return Object.keys(node('process').env)[0]",
    "hostname": "return Deno.hostname()",
    "os.hostname": "return node('os').hostname()",
    "user": "return node('os').userInfo()",
    "uid": "return Deno.uid()",
    "network interfaces": "return Deno.networkInterfaces()",
    "memory of the machine": "return Deno.systemMemoryInfo()",
  },
  "permissions": {
    "read": "return granted(await Deno.permissions.request({ name: 'read' }))",
    "net": "return granted(Deno.permissions.requestSync({ name: 'net' }))",
    "run": "return granted(Deno.permissions.querySync({ name: 'run' }))",
    "ffi": "return granted(Deno.permissions.querySync({ name: 'ffi' }))",
  },
  "descriptors": {
    "write to 3 and on":
      "for (let fd = 3; fd < 512; fd++) { try { node('fs').writeSync(fd, 'x'); return fd } catch {} } throw 'none'",
    "read from 3 and on":
      "for (let fd = 3; fd < 512; fd++) { try { node('fs').readSync(fd, new Uint8Array(1), 0, 1, 0); return fd } catch {} } throw 'none'",
    "stat of 3 and on":
      "for (let fd = 3; fd < 512; fd++) { try { node('fs').fstatSync(fd); return fd } catch {} } throw 'none'",
    "/dev/fd": "return node('fs').openSync('/dev/fd/0')",
    "/dev/tty": "return node('fs').openSync('/dev/tty', 'w')",
  },
};

/** An agent that makes all attempts of a group and replies `{ name: what came of it }`. */
export function attackerOf(attempts: Readonly<Record<string, string>>, targets: Targets): string {
  const functions = Object.entries(attempts).map(([name, body]) =>
    `${JSON.stringify(name)}: async () => { ${body} }`
  );
  return `
    const t = ${JSON.stringify(targets)};
    const node = (name) => process.getBuiltinModule("node:" + name);
    const granted = ({ state }) => { if (state !== "granted") throw state; return state; };
    const attempts = { ${functions.join(",\n")} };
    const shown = (value) => { try { return String(value).slice(0, 300) } catch { return "?" } };
    export default {
      name: "attacker",
      async onTrigger(ctx) {
        const came = {};
        for (const [name, attempt] of Object.entries(attempts)) {
          try {
            const got = await attempt();
            if (got !== undefined) came[name] = "ESCAPED: " + shown(got);
            else came[name] = "got nothing";
          } catch (error) {
            came[name] = "refused: " + shown(error);
          }
        }
        await ctx.reply(came);
      },
    };`;
}
