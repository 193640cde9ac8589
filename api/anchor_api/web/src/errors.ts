/** Errors that the verifier raises on purpose. The code names the cause; `docs/errors.md` lists them. */

/** The bytes are not what they claim to be. */
export class FormatError extends Error {
  readonly code: string;

  constructor(message: string, code = "format") {
    super(message);
    this.name = "FormatError";
    this.code = code;
  }
}

/** A size, count or depth is over the limit that `limits.ts` sets. */
export class LimitExceededError extends FormatError {
  constructor(message: string) {
    super(message, "format.limit_exceeded");
    this.name = "LimitExceededError";
  }
}

/** The bytes are well-formed and what they say is false. */
export class FalseError extends Error {
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.name = "FalseError";
    this.code = code;
  }
}
