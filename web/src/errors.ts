/** What a user can act on: what, where, why and what to do. */
export class LookOnceError extends Error {
  constructor(
    message: string,
    readonly kind: "input" | "geometry" | "nothing-found" | "runtime" = "input",
  ) {
    super(message);
    this.name = "LookOnceError";
  }
}
