/** Git's own server behind an address that containers reach, without a certificate: `await using server = await serveGit()`. */
import { gateway, says } from "./engine.ts";

export interface GitServer extends AsyncDisposable {
  /** `http://172.17.0.1:40123` */
  readonly origin: string;
  /** Of a repository that is there: `url("small")`. */
  url(name: string): string;
  /** Makes a repository of these files (a value that begins with `->` is a link to what follows); answers its commit. A second time: a further commit. */
  commit(name: string, files: Readonly<Record<string, string>>, branch?: string): Promise<string>;
  /** Runs git in a repository, and gives what it says. */
  git(name: string, ...args: readonly string[]): Promise<string>;
  /** From now on only who knows this is let in. */
  lock(username: string, password: string): void;
  /** What comes for this path (and below) is sent to another place. */
  redirect(path: string, to: string): void;
  /** From now on it answers as servers did before 2018, whatever it is asked. */
  speakOldProtocol(): void;
  /** Requests that came, with the name in their authorization. */
  readonly asked: { readonly path: string; readonly user: string | undefined }[];
}

export async function serveGit(): Promise<GitServer> {
  const root = await Deno.makeTempDir({ prefix: "agentd-git-" });
  const asked: { path: string; user: string | undefined }[] = [];
  const redirects = new Map<string, string>();
  let key: string | undefined;
  let isOld = false;

  async function answer(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const given = request.headers.get("authorization")?.replace(/^Basic /, "");
    asked.push({ path: pathname, user: given === undefined ? given : atob(given).split(":")[0] });
    for (const [from, to] of redirects) {
      if (pathname.startsWith(from)) {
        return Response.redirect(to + pathname.slice(from.length) + search, 302);
      }
    }
    if (key !== undefined && given !== key) {
      const headers = { "www-authenticate": 'Basic realm="git"' };
      return new Response("who are you?", { status: 401, headers });
    }
    return await backend(root, request, isOld);
  }

  const hostname = await gateway();
  const server = Deno.serve({ hostname, port: 0, onListen: () => {} }, answer);
  const origin = `http://${hostname}:${server.addr.port}`;
  const git = (name: string, ...args: readonly string[]) =>
    says("git", ["-C", `${root}/${name}`, "-c", "user.name=t", "-c", "user.email=t@t", ...args]);

  return {
    origin,
    asked,
    url: (name) => `${origin}/${name}/.git`,
    git,
    async commit(name, files, branch = "main") {
      const dir = `${root}/${name}`;
      if (!await Deno.stat(dir).then(() => true, () => false)) {
        await says("git", ["init", "-q", "-b", branch, dir]);
      } else if (await git(name, "branch", "--show-current") !== branch) {
        await git(name, "checkout", "-q", "-b", branch);
      }
      for (const [path, content] of Object.entries(files)) await written(`${dir}/${path}`, content);
      await git(name, "add", "-A");
      await git(name, "commit", "-q", "-m", "more");
      return await git(name, "rev-parse", "HEAD");
    },
    lock(username, password) {
      key = btoa(`${username}:${password}`);
    },
    speakOldProtocol() {
      isOld = true;
    },
    redirect: (path, to) => void redirects.set(path, to),
    async [Symbol.asyncDispose]() {
      await server.shutdown();
      await Deno.remove(root, { recursive: true });
    },
  };
}

async function written(path: string, content: string): Promise<void> {
  await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  if (content.startsWith("->")) await Deno.symlink(content.slice(2), path);
  else await Deno.writeTextFile(path, content);
}

/** One exchange with git's own server, by the rules of CGI. */
async function backend(root: string, request: Request, isOld: boolean): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  const { headers } = request;
  const child = new Deno.Command("git", {
    args: ["http-backend"],
    env: {
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: "1",
      PATH_INFO: decodeURIComponent(pathname),
      QUERY_STRING: search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: headers.get("content-type") ?? "",
      HTTP_CONTENT_ENCODING: headers.get("content-encoding") ?? "",
      GIT_PROTOCOL: isOld ? "" : headers.get("git-protocol") ?? "",
    },
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const output = child.output();
  const writer = child.stdin.getWriter();
  const body = new Uint8Array(await request.arrayBuffer());
  await writer.write(body).then(() => writer.close()).catch(() => {});
  const { stdout } = await output;
  return responseOf(stdout);
}

function responseOf(bytes: Uint8Array): Response {
  const text = new TextDecoder("latin1").decode(bytes);
  const end = text.indexOf("\r\n\r\n");
  const pairs = text.slice(0, end).split("\r\n").map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  const status = Number(pairs.find(([name]) => name === "status")?.[1].slice(0, 3) ?? 200);
  const headers = pairs.filter(([name]) => name !== "status");
  return new Response(bytes.slice(end + 4), { status, headers });
}
