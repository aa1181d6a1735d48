;; Decodes percent-encoding and plus signs, sixteen bytes at a time and with no branch for what they are: the time does not depend on
;; the bytes. `npm run gen` makes percent-decoding.gen.ts of it; percent-decoding.ts calls it.
;;
;; Memory:      0  what is encoded, then at least 32 zeros
;;          20480  written by the caller: for each set of eight places (a bit each) the places that are in it, in order, 8 bytes a set
;;          24576  what was decoded
(module
  (memory (export "memory") 1 1)

  ;; Decodes the bytes from 0 to `end`, and the zeros behind them up to a multiple of 16. The bytes that were written;
  ;; −1: a percent sign without two hex digits behind it.
  (func (export "decode") (param $end i32) (result i32)
    (local $at i32) (local $to i32)
    ;; A bit for each of the 16 bytes, the lowest for the first: what is kept; of the next 16, what belongs to an escape before them.
    (local $kept i32) (local $half i32) (local $carry i32)
    (local $bytes v128) (local $nextBytes v128) (local $digits v128) (local $nextDigits v128)
    (local $high v128) (local $low v128) (local $escapes v128) (local $meant v128) (local $wrong v128)
    ;; Constants stay in registers.
    (local $percent v128) (local $plus v128) (local $plusToSpace v128) (local $upper v128)
    (local $fromDigit v128) (local $six v128) (local $nibble v128) (local $letterA v128) (local $ten v128) (local $mark v128)
    (local.set $percent (i8x16.splat (i32.const 0x25)))
    (local.set $plus (i8x16.splat (i32.const 0x2b)))
    (local.set $plusToSpace (i8x16.splat (i32.const 0x0b)))
    (local.set $upper (i8x16.splat (i32.const 0xdf)))
    (local.set $fromDigit (i8x16.splat (i32.const 0xc6)))
    (local.set $six (i8x16.splat (i32.const 6)))
    (local.set $nibble (i8x16.splat (i32.const 0xf0)))
    (local.set $letterA (i8x16.splat (i32.const 0x41)))
    (local.set $ten (i8x16.splat (i32.const 10)))
    (local.set $mark (i8x16.splat (i32.const 0x70)))
    (local.set $to (i32.const 24576))

    ;; An escape may reach into the next block, so its digits are read one turn before: the first turn reads only, and keeps nothing.
    (local.set $carry (i32.const 0xffff))
    (local.set $end (i32.add (local.get $end) (i32.const 16)))
    (loop $next
      (local.set $nextBytes (v128.load (local.get $at)))
      ;; Each byte as a hex digit: 0x70 and its value; 0x80 or more if it is none.
      (local.set $nextDigits
        (i8x16.add_sat_u (local.get $mark)
          (i8x16.min_u
            ;; "0" to "9" become 0 to 9, all else 16 or more.
            (i8x16.sub
              (i8x16.sub_sat_u (i8x16.add (local.get $nextBytes) (local.get $fromDigit)) (local.get $six))
              (local.get $nibble))
            ;; "A" to "F" and "a" to "f" become 10 to 15, all else 16 or more.
            (i8x16.add_sat_u
              (i8x16.sub (v128.and (local.get $nextBytes) (local.get $upper)) (local.get $letterA))
              (local.get $ten)))))
      ;; At the place of each byte the digit that is one, and the one that is two further.
      (local.set $high
        (i8x16.shuffle 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 (local.get $digits) (local.get $nextDigits)))
      (local.set $low
        (i8x16.shuffle 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 (local.get $digits) (local.get $nextDigits)))
      (local.set $escapes (i8x16.eq (local.get $bytes) (local.get $percent)))
      (local.set $wrong
        (v128.or (local.get $wrong) (v128.and (local.get $escapes) (v128.or (local.get $high) (local.get $low)))))
      (local.set $meant
        (v128.bitselect
          (v128.bitselect (i16x8.shl (local.get $high) (i32.const 4)) (local.get $low) (local.get $nibble))
          (i8x16.sub (local.get $bytes)
            (v128.and (i8x16.eq (local.get $bytes) (local.get $plus)) (local.get $plusToSpace)))
          (local.get $escapes)))

      ;; The two bytes behind a percent sign are not kept.
      (local.set $kept (i8x16.bitmask (local.get $escapes)))
      (local.set $kept
        (i32.or (local.get $carry)
          (i32.or (i32.shl (local.get $kept) (i32.const 1)) (i32.shl (local.get $kept) (i32.const 2)))))
      (local.set $carry (i32.shr_u (local.get $kept) (i32.const 16)))
      (local.set $kept (i32.xor (local.get $kept) (i32.const 0xffff)))
      ;; Each half is moved together and written whole; what is too much of it is overwritten by what follows.
      (local.set $half (i32.and (local.get $kept) (i32.const 0xff)))
      (v128.store64_lane 0 (local.get $to)
        (i8x16.swizzle (local.get $meant)
          (v128.load64_zero offset=20480 (i32.shl (local.get $half) (i32.const 3)))))
      (local.set $to (i32.add (local.get $to) (i32.popcnt (local.get $half))))
      (local.set $half (i32.and (i32.shr_u (local.get $kept) (i32.const 8)) (i32.const 0xff)))
      (v128.store64_lane 0 (local.get $to)
        (i8x16.swizzle
          (i8x16.shuffle 8 9 10 11 12 13 14 15 8 9 10 11 12 13 14 15 (local.get $meant) (local.get $meant))
          (v128.load64_zero offset=20480 (i32.shl (local.get $half) (i32.const 3)))))
      (local.set $to (i32.add (local.get $to) (i32.popcnt (local.get $half))))

      (local.set $bytes (local.get $nextBytes))
      (local.set $digits (local.get $nextDigits))
      (br_if $next
        (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (local.get $end))))
    (select
      (i32.const -1)
      (i32.sub (local.get $to) (i32.const 24576))
      (i8x16.bitmask (local.get $wrong)))))
