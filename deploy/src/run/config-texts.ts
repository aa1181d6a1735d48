/** A configuration as read, before it is checked. */
export type ConfigTree = { [key: string]: unknown };

const SECRET_KEYS = ['secrets', 'password'];

export const isSecret = (key: string) => SECRET_KEYS.includes(key);

/** Copy of a configuration in which each text is what `replace` makes of it. Those of a list have the list's key. */
export function replaceTexts(tree: ConfigTree, replace: (text: string, key: string) => string): ConfigTree {
  const replaced = (value: unknown, key: string): unknown => {
    if (Array.isArray(value)) return value.map((item) => replaced(item, key));
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(Object.entries(value).map(([name, child]) => [name, replaced(child, name)]));
    }
    return typeof value === 'string' ? replace(value, key) : value;
  };
  return replaced(tree, '') as ConfigTree;
}

/** What a file holds that stands for this secret: whoever reads it drops one line end. */
export const secretFileOf = (secret: string) => (secret.endsWith('\n') ? `${secret}\n` : secret);
