/** In place of modules that a library could load and this page has no use for. */
export default null;
