/** `{{secret:NAME}}` in the environment, and the credential of a repository: looked up at the last moment, and never kept. */
import type { CloneSpec, Repository } from "../../core/containers.ts";
import type { AgentId } from "../../core/id.ts";
import type { Secrets } from "../../core/secrets.ts";
import { refusal } from "../../fs/tree.ts";
import { MOUNT } from "./policy.ts";

const REFERENCE = /\{\{secret:([A-Z][A-Z0-9_]{0,63})\}\}/g;

type Env = Readonly<Record<string, string>>;

/** @throws FileError `not_found`, `permission_denied` for a secret that is not bound to this; `invalid_request` */
export function filledEnv(secrets: Secrets, agent: AgentId, env: Env): Record<string, string> {
  const put = (value: string) =>
    whole(value).replaceAll(REFERENCE, (_, name) => secrets.use(name, { mount: MOUNT, agent }));
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [name, put(value)]));
}

/** The same errors. */
export function filledRepo(secrets: Secrets, agent: AgentId, repo: Repository): CloneSpec {
  const { url, git_ref, subdir, auth } = repo;
  return {
    url,
    git_ref,
    ...(subdir === undefined ? {} : { subdir }),
    ...(auth === undefined ? {} : {
      credential: {
        username: auth.username,
        password: secrets.use(auth.secret, { mount: MOUNT, agent }),
      },
    }),
  };
}

/** What looks like a reference and is none would go as it is, and nobody would know why it does not work. */
function whole(text: string): string {
  if (!text.replaceAll(REFERENCE, "").includes("{{secret:")) return text;
  throw refusal("invalid_request", "env: a secret is referred to as {{secret:NAME}}, in capitals");
}
