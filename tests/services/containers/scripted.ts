/** The engine in memory on which `/containers` is tried here: the one of its laws. */
export * from "../../../conformance/containers/engine.ts";
