import testing from './lib/testing.js';

export const { conform } = testing;

export default testing;
