/** Why a model call came to nothing, in words for people, and what an agent does about a refusal. */
import { codeOf, type FileError } from "../../fs/error.ts";
import type { Failure } from "../../core/agent.ts";

const REASONS: Readonly<Record<string, string>> = {
  approval_required: "A person has to allow this model call first",
  budget_exceeded: "My budget does not allow this model call",
  insufficient_credits: "The provider wants to be paid first",
  max_cost_required: "I cannot bound what this model call costs",
  not_found: "I cannot have this model",
  not_supported: "This model cannot do that",
  permission_denied: "I may not make this model call",
  provider_unavailable: "No model can be reached",
  rate_limited: "The model takes no more calls at the moment",
  timeout: "The model took too long",
  too_large: "This is too much for the model",
};

/** Why a model call came to nothing. `more`: reasons of an agent's own, by code. */
export function reasonOf(
  { code, message }: Failure,
  more: Readonly<Record<string, string>> = {},
): string {
  return `${more[code] ?? REASONS[code] ?? "The model call failed"}: ${message} (${code})`;
}

/** An error of a file as a failure. */
export function failureOf(error: unknown): Failure {
  const { detail, message } = error as FileError;
  return { code: codeOf(error), message: detail ?? message };
}

/**
 * @param builtin how to make an agent of its kind that has a model by name: `agentd create <id> assistant`
 * @param down who would have models
 */
export function noModel(builtin: string, down: readonly string[]): string {
  const lost = down.length === 0 ? "" : ` Down: ${down.join(", ")}.`;
  return `I have no model.${lost} Start a model server on this machine (Ollama, llama.cpp, LM Studio, vLLM) and ask ` +
    `again, or make an agent that has a model by name: agentd create <id> ${builtin} --model <name>. Who sells ` +
    "models: agentd ls <id>/compute/providers/";
}

/**
 * `retry`: the engine tries the tick again. `changed`: an earlier try of this tick asked for something else, as a file has changed since
 * then; what it began goes on, and nothing of it comes here. `refused`: it is not done.
 */
export function kindOf(error: unknown): "retry" | "changed" | "refused" {
  switch (codeOf(error)) {
    case "internal":
    case "io":
    case "not_ready":
      return "retry";
    case "nondeterministic":
    case "interrupted":
    case "conflict":
      return "changed";
    default:
      return "refused";
  }
}

/** The question to a person that an error tells of. */
export function approvalIn(error: unknown): string | undefined {
  const id = (error as Partial<FileError>).extra?.approval_id;
  return codeOf(error) === "approval_required" && typeof id === "string" ? id : undefined;
}
