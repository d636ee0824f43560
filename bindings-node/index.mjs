// The same classes as `require('stackwright')` gives: an `instanceof` holds whichever way a program came here.
import stackwright from './lib/index.js';

export const {
  AlreadyExistsError, BugError, CancelledError, ConflictError, DeniedError, InvalidInputError, NotFoundError, Partial,
  RateLimitedError, RunFailedError, StackwrightError, UnavailableError, UnsupportedError,
  CannotTell, NeverReady, Planned, defineDataSource, defineFunction, defineResource,
  Engine, Stack, Plan, Run, Report,
  Expression, Template, expression, literal,
  Digits, HIDDEN, UNKNOWN, digits, s,
} = stackwright;

export default stackwright;
