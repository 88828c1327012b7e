/** A registry of this machine with one image of one file, so that an engine can fetch something where no other registry can be reached. */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";

export interface Registry extends AsyncDisposable {
  /** `127.0.0.1:40263/tiny:1` */
  readonly image: string;
  /** Of an image that it does not have. */
  readonly none: string;
}

interface Blob {
  readonly digest: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
const BLOCK = 512;

/** The engine trusts registries of its own machine without a certificate. */
export function startRegistry(name = "agentd-test-pulled"): Registry {
  const tar = tarOf("hello", "hello\n");
  const layer = blobOf(new Uint8Array(gzipSync(tar)));
  const config = jsonBlob({
    architecture: "amd64",
    os: "linux",
    created: "2026-01-01T00:00:00Z",
    config: {},
    rootfs: { type: "layers", diff_ids: [blobOf(tar).digest] },
  });
  const manifest = jsonBlob({
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: sized("application/vnd.docker.container.image.v1+json", config),
    layers: [sized("application/vnd.docker.image.rootfs.diff.tar.gzip", layer)],
  });
  const served: Readonly<Record<string, { readonly blob: Blob; readonly type: string }>> = {
    [`/v2/${name}/manifests/1`]: { blob: manifest, type: MANIFEST },
    [`/v2/${name}/manifests/${manifest.digest}`]: { blob: manifest, type: MANIFEST },
    [`/v2/${name}/blobs/${config.digest}`]: { blob: config, type: "application/octet-stream" },
    [`/v2/${name}/blobs/${layer.digest}`]: { blob: layer, type: "application/octet-stream" },
  };
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    ({ url, method }) => {
      const { pathname } = new URL(url);
      if (pathname === "/v2/") return Response.json({});
      const found = served[pathname];
      if (!found) {
        const errors = [{ code: "MANIFEST_UNKNOWN", message: "manifest unknown" }];
        return Response.json({ errors }, { status: 404 });
      }
      const { blob, type } = found;
      return new Response(method === "HEAD" ? null : blob.bytes, {
        headers: {
          "content-type": type,
          "content-length": String(blob.bytes.length),
          "docker-content-digest": blob.digest,
        },
      });
    },
  );
  const at = `127.0.0.1:${server.addr.port}`;
  return {
    image: `${at}/${name}:1`,
    none: `${at}/${name}:none`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function blobOf(bytes: Uint8Array<ArrayBuffer>): Blob {
  return { digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}`, bytes };
}

function jsonBlob(value: unknown): Blob {
  return blobOf(new TextEncoder().encode(JSON.stringify(value)));
}

function sized(mediaType: string, { digest, bytes }: Blob) {
  return { mediaType, digest, size: bytes.length };
}

/** An archive of one file. */
function tarOf(name: string, content: string): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const data = encoder.encode(content);
  const head = new Uint8Array(BLOCK);
  const put = (at: number, text: string) => head.set(encoder.encode(text), at);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0") + "\0";
  put(0, name);
  put(100, octal(0o644, 7));
  put(108, octal(0, 7));
  put(116, octal(0, 7));
  put(124, octal(data.length, 11));
  put(136, octal(0, 11));
  put(148, "        ");
  put(156, "0");
  put(257, "ustar\0" + "00");
  put(148, octal(head.reduce((sum, byte) => sum + byte, 0), 6) + " ");
  const all = new Uint8Array(BLOCK * 4);
  all.set(head);
  all.set(data, BLOCK);
  return all;
}
