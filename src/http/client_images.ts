/** A server's images from the other side: listed, and fetched line by line. */
import type { ImageInfo } from "../core/containers.ts";
import { FileError } from "../fs/error.ts";
import { errorOf } from "./codes.ts";
import type { ProviderImages, PullLine } from "./images.ts";
import { chunksOf, type Wire } from "./wire.ts";

const IMAGES = "/images";

export interface ClientImages {
  /** What containers can be made from, by provider. */
  list(): Promise<readonly ProviderImages[]>;
  /** Fetches one; each line of the engine is told as it comes. Leaving ends it. */
  pull(
    image: string,
    options: { readonly tell: (line: string) => void; readonly signal?: AbortSignal },
  ): Promise<ImageInfo>;
}

export function clientImages(wire: Wire): ClientImages {
  return {
    async list() {
      const { providers } = await wire.json({ op: "list", path: IMAGES }) as {
        providers: ProviderImages[];
      };
      return providers;
    },
    async pull(image, { tell, signal }) {
      const response = await wire.send({
        op: "pull",
        path: `${IMAGES}/pull`,
        named: image,
        method: "POST",
        body: JSON.stringify({ image }),
        type: "application/json",
        signal,
      });
      for await (const line of linesOf<PullLine>(response, image)) {
        if ("line" in line) tell(line.line);
        else if ("image" in line) return line.image;
        else throw errorOf(line.error, "pull", image) ?? brokenOff(image);
      }
      throw brokenOff(image);
    },
  };
}

/** Lines of JSON as they come. */
async function* linesOf<T>(response: Response, named: string): AsyncGenerator<T> {
  const decoder = new TextDecoder();
  let open = "";
  for await (const chunk of chunksOf(response, named)) {
    const lines = (open + decoder.decode(chunk, { stream: true })).split("\n");
    open = lines.pop()!;
    for (const line of lines) if (line !== "") yield JSON.parse(line) as T;
  }
}

function brokenOff(image: string): FileError {
  return new FileError("provider_unavailable", "pull", image, {
    detail: "the server stopped telling before it was done; try again",
  });
}
