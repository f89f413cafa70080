/** The object with some of its methods replaced; its getters and private fields stay. */
export function overridden<T extends object>(object: T, methods: Partial<T>): T {
  return new Proxy(object, {
    get: (target, key) => {
      if (key in methods) return methods[key as keyof T];
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
