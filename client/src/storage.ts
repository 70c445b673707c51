/** Where an app keeps its tokens: secure storage on phones. Synchronous or asynchronous. */
export interface TokenStorage {
  get(name: string): string | null | undefined | Promise<string | null | undefined>;
  set(name: string, value: string): unknown;
  remove(name: string): unknown;
}

/** Storage in the memory of this process: signed out at the next start. */
export function memoryStorage(): TokenStorage {
  const values = new Map<string, string>();
  return {
    get: (name) => values.get(name),
    set: (name, value) => values.set(name, value),
    remove: (name) => values.delete(name),
  };
}

interface ItemStorage {
  getItem(name: string): string | null | Promise<string | null>;
  setItem(name: string, value: string): unknown;
  removeItem(name: string): unknown;
}

/** Storage in `localStorage`, `sessionStorage` or React Native's AsyncStorage. */
export function itemStorage(items: ItemStorage): TokenStorage {
  return {
    get: (name) => items.getItem(name),
    set: (name, value) => items.setItem(name, value),
    remove: (name) => items.removeItem(name),
  };
}
