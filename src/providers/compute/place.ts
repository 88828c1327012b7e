/** Where a model server is: the base of its API, as people write it. */
import { FileError } from "../../fs/error.ts";

const ID = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** @throws FileError `invalid_request` unless it can be a segment of a path and the first half of `provider/model` */
export function providerId(id: string): string {
  if (ID.test(id)) return id;
  throw refusal(id, 'a provider\'s id is 1 to 63 of a-z, 0-9, ".", "_" and "-"');
}

/** `http://localhost:1234` and `http://localhost:1234/v1/` are the same. @throws FileError `invalid_request` */
export function apiBase(text: string): string {
  if (!URL.canParse(text)) throw refusal(text, "it is no URL, such as http://127.0.0.1:8081/v1");
  const url = new URL(text);
  // What is in front of the @ is a credential, and so is not repeated.
  const shown = `${url.protocol}//${url.host}`;
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw refusal(shown, "a model server is asked by http or https");
  }
  if (url.username !== "" || url.password !== "") {
    throw refusal(shown, "a URL with a credential; set a secret and name it");
  }
  if (url.search !== "" || url.hash !== "") {
    throw refusal(shown, "the base of an API has neither a query nor a fragment");
  }
  const path = url.pathname.replace(/\/+$/, "");
  return url.origin + (path === "" ? "/v1" : path);
}

/** Does what is sent there stay on this machine? */
export function isHere(url: string): boolean {
  const { hostname } = new URL(url);
  return hostname === "localhost" || hostname.endsWith(".localhost") || hostname === "[::1]" ||
    /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

/** Is it one of our own addresses? One that listens everywhere listens here too. */
export function isOwn(url: string, own: readonly string[]): boolean {
  const there = new URL(url);
  return own.filter((one) => URL.canParse(one)).some((one) => {
    const ours = new URL(one);
    if (portOf(ours) !== portOf(there)) return false;
    const everywhere = ours.hostname === "0.0.0.0" || ours.hostname === "[::]";
    return ours.hostname === there.hostname || isHere(url) && (everywhere || isHere(one));
  });
}

function portOf({ port, protocol }: URL): string {
  return port || (protocol === "https:" ? "443" : "80");
}

function refusal(what: string, detail: string): FileError {
  return new FileError("invalid_request", "set up", what.slice(0, 200), { detail });
}
