/** Servers on this machine that say exactly what a test wants said: bytes on a socket, names in DNS, certificates. */
import { createSocket } from "node:dgram";
import { needs } from "../../needs.ts";

export interface RawServer {
  readonly port: number;
  /** Heads and bodies as they came, one text a connection. */
  readonly seen: string[];
  close(): Promise<void>;
}

/** What one connection is answered: bytes as one character each; `hang` leaves it open. */
export type Say = (request: string) => string | Uint8Array | "hang" | AsyncIterable<Uint8Array>;

/** Speaks plain sockets: answers each connection once its head, and the length it says, has come; `early`: once its head has, and then it reads no more. */
export function rawServer(
  say: Say,
  options: { hostname?: string; tls?: Certificate; early?: boolean } = {},
): RawServer {
  const { hostname = "127.0.0.1", tls, early = false } = options;
  const listener = tls
    ? Deno.listenTls({ hostname, port: 0, cert: tls.cert, key: tls.key })
    : Deno.listen({ hostname, port: 0 });
  const seen: string[] = [];
  const open = new Set<Deno.Conn>();
  async function serve(conn: Deno.Conn): Promise<void> {
    open.add(conn);
    try {
      const request = await readRequest(conn, early);
      seen.push(request);
      const answer = say(request);
      if (answer === "hang") {
        await conn.read(new Uint8Array(1));
        return;
      }
      const parts = typeof answer === "string"
        ? [Uint8Array.from(answer, (c) => c.charCodeAt(0))]
        : answer instanceof Uint8Array
        ? [answer]
        : answer;
      for await (const part of parts) {
        for (let at = 0; at < part.length;) at += await conn.write(part.subarray(at));
      }
    } catch {
      // The client has gone.
    } finally {
      open.delete(conn);
      try {
        conn.close();
      } catch {
        // It has been closed.
      }
    }
  }
  const serving = new Set<Promise<void>>();
  const accepting = (async () => {
    while (true) {
      let conn: Deno.Conn;
      try {
        conn = await listener.accept();
      } catch (error) {
        if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) {
          return;
        }
        continue;
      }
      const served = serve(conn).finally(() => serving.delete(served));
      serving.add(served);
    }
  })();
  return {
    port: (listener.addr as Deno.NetAddr).port,
    seen,
    async close() {
      listener.close();
      for (const conn of open) {
        try {
          conn.close();
        } catch {
          // It has been closed.
        }
      }
      await accepting;
      await Promise.all(serving);
    },
  };
}

async function readRequest(conn: Deno.Conn, headOnly: boolean): Promise<string> {
  let text = "";
  const piece = new Uint8Array(16_384);
  while (true) {
    const end = text.indexOf("\r\n\r\n");
    const length = headOnly ? 0 : Number(/\r\ncontent-length: (\d+)/.exec(text)?.[1] ?? 0);
    if (end >= 0 && text.length >= end + 4 + length) return text;
    const count = await conn.read(piece);
    if (count === null) return text;
    text += String.fromCharCode(...piece.subarray(0, count));
  }
}

export function ok(body: string, headers = ""): string {
  return `HTTP/1.1 200 OK\r\n${headers}content-length: ${body.length}\r\n\r\n${body}`;
}

export interface Certificate {
  readonly cert: string;
  readonly key: string;
  /** PEM of the authority that signed it. */
  readonly ca: string;
}

function hasOpenssl(): boolean {
  try {
    return new Deno.Command("openssl", { args: ["version"], stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch {
    return false;
  }
}

export const withTls = needs(hasOpenssl() ? undefined : "no openssl, for certificates");

/** A certificate for a name, with an authority of its own. */
export async function certificateFor(name: string): Promise<Certificate> {
  const dir = await Deno.makeTempDir();
  const at = (file: string) => `${dir}/${file}`;
  const openssl = async (...args: string[]) => {
    const { success, stderr } = await new Deno.Command("openssl", { args, stdout: "null" })
      .output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
  };
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  try {
    await openssl(
      ...["req", "-x509", ...newKey, "-days", "2", "-subj", "/CN=test authority"],
      ...[
        "-addext",
        "basicConstraints=critical,CA:TRUE",
        "-keyout",
        at("ca.key"),
        "-out",
        at("ca"),
      ],
    );
    await openssl(
      ...["req", ...newKey, "-subj", `/CN=${name}`, "-keyout", at("key"), "-out", at("request")],
    );
    await Deno.writeTextFile(at("ext"), `subjectAltName=DNS:${name}\nbasicConstraints=CA:FALSE\n`);
    await openssl(
      ...["x509", "-req", "-in", at("request"), "-CA", at("ca"), "-CAkey", at("ca.key")],
      ...["-CAcreateserial", "-days", "2", "-extfile", at("ext"), "-out", at("cert")],
    );
    const [cert, key, ca] = await Promise.all(
      ["cert", "key", "ca"].map((file) => Deno.readTextFile(at(file))),
    );
    return { cert: cert!, key: key!, ca: ca! };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

export interface NameServer {
  /** Names that were asked for, in their order. */
  readonly asked: string[];
  resolve(host: string): Promise<string[]>;
  close(): Promise<void>;
}

/** A DNS server on UDP that answers each question with the next of a name's addresses, and with the last one ever after. */
export async function nameServer(
  records: Readonly<Record<string, readonly string[]>>,
): Promise<NameServer> {
  const socket = createSocket("udp4");
  const asked: string[] = [];
  const times = new Map<string, number>();
  socket.on("message", (query, from) => {
    const { name, end } = questionOf(query);
    const addresses = records[name] ?? [];
    asked.push(name);
    const nth = times.get(name) ?? 0;
    times.set(name, nth + 1);
    const address = addresses[Math.min(nth, addresses.length - 1)];
    socket.send(dnsAnswer(query, end, address), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const { port } = socket.address();
  return {
    asked,
    resolve: (host) => Deno.resolveDns(host, "A", { nameServer: { ipAddr: "127.0.0.1", port } }),
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

function questionOf(query: Uint8Array): { name: string; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(new TextDecoder().decode(query.subarray(at + 1, at + 1 + length)));
    at += 1 + length;
  }
  return { name: labels.join(".").toLowerCase(), end: at + 5 };
}

function dnsAnswer(query: Uint8Array, end: number, address: string | undefined): Uint8Array {
  const isFound = address !== undefined;
  const head = [
    ...[query[0]!, query[1]!, 0x81, isFound ? 0x80 : 0x83, 0, 1, 0, isFound ? 1 : 0, 0, 0, 0, 0],
    ...query.subarray(12, end),
  ];
  if (!isFound) return Uint8Array.from(head);
  const record = [0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split(".").map(Number)];
  return Uint8Array.from([...head, ...record]);
}
