/** The path of a request target, without its query. */
export function barePath(target: string): string {
  const at = target.indexOf("?");
  return at === -1 ? target : target.slice(0, at);
}
