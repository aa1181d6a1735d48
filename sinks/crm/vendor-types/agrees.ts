// Types alone: nothing of this runs.

type Plain = string | number | boolean | bigint | symbol | null | undefined;

/** Vendors write no `readonly`. */
type Writable<T> = T extends Plain ? T : { -readonly [K in keyof T]: Writable<T[K]> };

type KeysOf<T> = T extends unknown ? keyof T : never;
type ValueOf<T, K> = T extends unknown ? (K extends keyof T ? T[K] : never) : never;
type ItemOf<T> = T extends readonly (infer Item)[] ? Item : never;

/** Names in our body that the vendor's type does not have, wherever in it: an API that leaves them out says nothing. */
type Unknown<Ours, Theirs> = Ours extends Plain
  ? never
  : Ours extends readonly (infer Item)[]
    ? Unknown<Item, ItemOf<Theirs>>
    : {
        [K in keyof Ours]-?: K extends KeysOf<Theirs> ? Unknown<Ours[K], ValueOf<Theirs, K>> : K;
      }[keyof Ours];

/** True if the vendor's type takes our body and knows every name in it; else what is wrong. */
export type Agreement<Ours, Theirs> = [Writable<Ours>] extends [Theirs]
  ? [Unknown<Ours, Theirs>] extends [never]
    ? true
    : { readonly unknown: Unknown<Ours, Theirs> }
  : { readonly differs: Writable<Ours>; readonly from: Theirs };

/** The type check fails of anything but true. */
export type Holds<T extends true> = T;
