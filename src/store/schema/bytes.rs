//! How the parts of a record become bytes. Writing cannot fail: there is no error to lose. Reading guesses nothing.
//!
//! A number is one byte, or 1 to 10 bytes of 7 bits each, the lowest bits first, the highest bit set on all but the last.
//! An id and a digest are their bytes. A text and a list are their length and what they hold. An optional part is 0, or 1
//! and the part.

/// The first thing in a record's bytes that cannot be.
pub(super) struct Malformed(pub(super) &'static str);

/// A part of a record.
pub(super) trait Field: Sized {
    /// Appends the part's bytes.
    fn put(&self, out: &mut Vec<u8>);

    /// Reads the part from the start of `input`, and leaves what follows it.
    fn take(input: &mut &[u8]) -> Result<Self, Malformed>;
}

/// Declares a plain type with its bytes: the fields of a `struct` in order; of an `enum` the variant's number, which is
/// one byte and never zero, then the variant's fields in order.
macro_rules! stored {
    ($(#[$doc:meta])* struct $name:ident { $($field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        pub(super) struct $name {
            $($field: $type,)*
        }

        impl Field for $name {
            fn put(&self, out: &mut Vec<u8>) {
                $(self.$field.put(out);)*
            }

            fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
                Ok(Self { $($field: Field::take(input)?,)* })
            }
        }
    };
    ($(#[$doc:meta])* enum $name:ident { $($number:literal => $variant:ident { $($field:ident: $type:ty),* },)* }) => {
        $(#[$doc])*
        pub(super) enum $name {
            $($variant { $($field: $type),* },)*
        }

        impl Field for $name {
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$variant { $($field),* } => {
                        out.push($number);
                        $($field.put(out);)*
                    })*
                }
            }

            fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
                match u8::take(input)? {
                    $($number => Ok(Self::$variant { $($field: Field::take(input)?),* }),)*
                    _ => Err(Malformed(concat!("a `", stringify!($name), "` has an unknown number"))),
                }
            }
        }
    };
}
pub(super) use stored;

const CUT_OFF: Malformed = Malformed("it ends too early");

impl Field for u8 {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }

    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        let (byte, rest) = input.split_first().ok_or(CUT_OFF)?;
        *input = rest;
        Ok(*byte)
    }
}

impl Field for u64 {
    fn put(&self, out: &mut Vec<u8>) {
        let mut rest = *self;
        loop {
            let [low, ..] = rest.to_le_bytes();
            rest >>= 7;
            if rest == 0 {
                return out.push(low);
            }
            out.push(low | 0x80);
        }
    }

    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        let mut number = 0;
        for shift in (0..Self::BITS).step_by(7) {
            let byte = u8::take(input)?;
            let bits = Self::from(byte & 0x7f);
            number |= bits << shift;
            // Each number has one form: no zeros in front, no bits that do not fit.
            if bits << shift >> shift != bits || byte == 0 && shift > 0 {
                break;
            }
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Malformed("a number is not in its shortest form"))
    }
}

impl<const N: usize> Field for [u8; N] {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self);
    }

    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        let (bytes, rest) = input.split_first_chunk().ok_or(CUT_OFF)?;
        *input = rest;
        Ok(*bytes)
    }
}

impl Field for String {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        out.extend(self.as_bytes());
    }

    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        let len = u64::take(input)?;
        let text = usize::try_from(len).ok().and_then(|len| input.split_at_checked(len));
        let (text, rest) = text.ok_or(CUT_OFF)?;
        *input = rest;
        std::str::from_utf8(text).map(str::to_owned).map_err(|_| Malformed("a text is not UTF-8"))
    }
}

impl<T: Field> Field for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            None => out.push(0),
            Some(part) => {
                out.push(1);
                part.put(out);
            }
        }
    }

    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        match u8::take(input)? {
            0 => Ok(None),
            1 => T::take(input).map(Some),
            _ => Err(Malformed("an optional part is neither there nor left out")),
        }
    }
}

impl<T: Field> Field for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        self.iter().for_each(|part| part.put(out));
    }

    fn take(input: &mut &[u8]) -> Result<Self, Malformed> {
        let len = u64::take(input)?;
        // No part is shorter than a byte, so a length that is too large takes no memory.
        let mut list = Self::with_capacity(usize::try_from(len).unwrap_or(usize::MAX).min(input.len()));
        for _ in 0..len {
            list.push(T::take(input)?);
        }
        Ok(list)
    }
}
