/** X: what `/containers` keeps, whoever runs containers and wherever its files are read. */
import { commandLaws } from "./containers/commands.ts";
import { placeLaws } from "./containers/places.ts";
import { requestLaws } from "./containers/requests.ts";
import type { ContainerLaw } from "./containers/subject.ts";

export { type Act, acted, acting, type Acts } from "./containers/acts.ts";
export { type Line, lineTo, running, scripted } from "./containers/engine.ts";
export {
  BUDGETS,
  type ContainerLaw,
  type ContainerSubject,
  listening,
  PRICE,
} from "./containers/subject.ts";

export const containerLaws: readonly ContainerLaw[] = [
  ...requestLaws,
  ...commandLaws,
  ...placeLaws,
];
