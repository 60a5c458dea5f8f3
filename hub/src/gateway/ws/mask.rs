//! Undoing a client's mask (RFC 6455, 5.3).

/// XORs `payload` with `mask`, whose first byte belongs to the payload's byte number 0;
/// `payload` begins at its byte number `at`. Eight bytes a step, which the compiler widens to
/// what the machine has.
pub(super) fn unmask(payload: &mut [u8], mask: [u8; 4], at: usize) {
    let mut turned = mask;
    turned.rotate_left(at % 4);
    let [a, b, c, d] = turned;
    let eight = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (chunks, rest) = payload.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ eight).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(turned.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_meets_its_mask_byte_wherever_the_payload_is_cut() {
        let mask = [0x11, 0x22, 0x44, 0x88];
        let payload: Vec<u8> = (0..61).collect();
        let expected: Vec<u8> = (0..61).map(|at| at as u8 ^ mask[at % 4]).collect();
        for cut in 0..payload.len() {
            let mut masked = payload.clone();
            let (head, tail) = masked.split_at_mut(cut);
            unmask(head, mask, 0);
            unmask(tail, mask, cut);
            assert_eq!(masked, expected, "cut at {cut}");
        }
    }
}
