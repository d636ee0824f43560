'use strict';

/**
 * What the engine says, and what a verb may throw to say more than an ordinary error can. The class says what a caller can
 * do, `code` says what happened; both are the same in every language.
 */
class StackwrightError extends Error {
  static kind = 'bug';

  constructor(message = '', options = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = new.target.name;
    this.code = options.code ?? 'host.failed';
    this.retry = options.retry ?? false;
    this.effect = options.effect ?? 'none';
    this.context = { ...options.context };
    this.diagnostics = [...(options.diagnostics ?? [])];
    this.causes = [...(options.causes ?? [])];
  }

  get kind() {
    return this.constructor.kind;
  }
}

/** Mend the input: a template, a variable, an argument. */
class InvalidInputError extends StackwrightError {
  static kind = 'invalid_input';
}
/** Name something that exists. */
class NotFoundError extends StackwrightError {
  static kind = 'not_found';
}
/** Choose another name, or adopt what is there. */
class AlreadyExistsError extends StackwrightError {
  static kind = 'already_exists';
}
/** Somebody else was faster: look again, then repeat. */
class ConflictError extends StackwrightError {
  static kind = 'conflict';
}
/** Ask for permission, or fix the credentials. */
class DeniedError extends StackwrightError {
  static kind = 'denied';
}
/** Try again later: a service, a disk or a network does not answer. */
class UnavailableError extends StackwrightError {
  static kind = 'unavailable';
}
/** Try again more slowly. */
class RateLimitedError extends StackwrightError {
  static kind = 'rate_limited';
}
/** Use another way; this one is not offered. */
class UnsupportedError extends StackwrightError {
  static kind = 'unsupported';
}
/** The caller asked to stop. */
class CancelledError extends StackwrightError {
  static kind = 'cancelled';
}
/** Report it: the engine or a resource type broke its own contract. */
class BugError extends StackwrightError {
  static kind = 'bug';
}

/** A run ended otherwise than well. `report` says how; `cause` is the first error that a verb of yours threw, unchanged. */
class RunFailedError extends StackwrightError {
  static kind = 'unavailable';

  constructor(message, { report, ...options }) {
    super(message, { effect: 'unknown', ...options });
    this.report = report;
  }
}

/**
 * Thrown by `create` or `update` that stopped half-way: what is there now, and why it is not more. The engine remembers the
 * object as half made, and replaces it the next time.
 */
class Partial extends Error {
  constructor(outputs, cause) {
    super('the object is half made', { cause });
    this.name = 'Partial';
    this.outputs = outputs;
  }
}

const BY_KIND = new Map(
  [
    InvalidInputError, NotFoundError, AlreadyExistsError, ConflictError, DeniedError, UnavailableError, RateLimitedError,
    UnsupportedError, CancelledError, BugError,
  ].map((each) => [each.kind, each]),
);

/** Returns the error for a failure of the engine's. */
function errorFromData(data) {
  const retry = data.retry ?? 'no';
  const Kind = BY_KIND.get(data.kind) ?? BugError;
  const diagnostics = data.diagnostics ?? [];
  const lines = [[data.message, ...(data.causes ?? [])].join(': '), ...diagnostics.map(diagnosticText)];
  const error = new Kind(lines.join('\n'), {
    code: data.code,
    retry: typeof retry === 'object' ? retry.after_ms : retry === 'with_backoff',
    effect: data.effect ?? 'none',
    context: Object.fromEntries(data.context ?? []),
    diagnostics: diagnostics.map(diagnosticFromData),
    causes: data.causes ?? [],
  });
  return error;
}

function diagnosticText(problem) {
  if (problem.rendered) return problem.rendered.replace(/\n$/, '');
  const where = problem.address ? ` (${problem.address})` : '';
  const wayOut = problem.help ? `; ${problem.help}` : '';
  return `${problem.severity ?? 'error'}[${problem.code}]: ${problem.message}${where}${wayOut}`;
}

function diagnosticFromData(data) {
  return {
    code: data.code,
    message: data.message,
    severity: data.severity ?? 'error',
    help: data.help ?? undefined,
    address: data.address ?? undefined,
    place: data.place ?? undefined,
    rendered: data.rendered ?? undefined,
  };
}

/** Returns the failure that the engine gets. */
function errorToData(error) {
  return {
    kind: error.kind,
    code: error.code,
    message: error.message,
    retry: typeof error.retry === 'number' ? { after_ms: Math.max(0, Math.round(error.retry)) } : error.retry ? 'with_backoff' : 'no',
    effect: error.effect,
    context: Object.entries(error.context).map(([key, value]) => [key, String(value)]),
    diagnostics: error.diagnostics.map(({ code, message, severity = 'error', help }) => ({
      code, message, severity, ...(help === undefined ? {} : { help }),
    })),
  };
}

/** Returns what an envelope holds, or throws it. */
function unwrap(envelope) {
  if ('error' in envelope) throw errorFromData(envelope.error);
  return envelope.ok;
}

/** What was thrown says nothing of its effect; it is not repeated, as it may quote a secret. */
function unnamed(thrown) {
  const name = thrown instanceof Error ? thrown.constructor.name : typeof thrown;
  return new BugError(`the host's code threw \`${name}\``, { code: 'host.failed', effect: 'unknown' });
}

module.exports = {
  StackwrightError, InvalidInputError, NotFoundError, AlreadyExistsError, ConflictError, DeniedError, UnavailableError,
  RateLimitedError, UnsupportedError, CancelledError, BugError, RunFailedError, Partial,
  errorFromData, errorToData, diagnosticFromData, unwrap, unnamed,
};
