/// How long many operations took, in fixed memory: buckets that grow with the time, 16 to each doubling.
///
/// A time of 10 ms falls into a bucket from 9.73 to 10.24 ms; a percentile is the upper end of its bucket,
/// so it is at most 6.25 % too long and never too short. Times beyond 70 minutes count as 70 minutes.
public struct LatencyHistogram: Sendable, Hashable {
    private static let steps = 16
    private static let doublings = 32

    private var buckets = [Int](repeating: 0, count: (doublings - 3) * steps)

    /// How many were measured.
    public private(set) var count = 0

    /// The longest time.
    public private(set) var longest = Duration.zero

    /// Starts empty.
    public init() {}

    /// Counts one time.
    public mutating func add(_ time: Duration) {
        count += 1
        longest = max(longest, time)
        buckets[Self.bucket(of: time.wholeMicroseconds)] += 1
    }

    /// Counts all that another one counted.
    public mutating func add(_ other: Self) {
        count += other.count
        longest = max(longest, other.longest)
        for index in buckets.indices { buckets[index] += other.buckets[index] }
    }

    /// The time within which a share of the operations ended: 0.99 is the 99th percentile; zero when nothing was measured.
    public func percentile(_ share: Double) -> Duration {
        let wanted = max(1, Int((Double(count) * share).rounded(.up)))
        var seen = 0
        for (index, number) in buckets.enumerated() {
            seen += number
            if seen >= wanted { return min(longest, .microseconds(Self.upperEnd(of: index))) }
        }
        return longest
    }

    /// Below 16 µs each microsecond has its bucket; then the highest five bits of the number choose it.
    private static func bucket(of microseconds: UInt32) -> Int {
        guard microseconds >= steps else { return Int(microseconds) }
        let exponent = 31 - microseconds.leadingZeroBitCount
        return (exponent - 3) * steps + Int(microseconds >> (exponent - 4)) - steps
    }

    private static func upperEnd(of bucket: Int) -> Int {
        guard bucket >= steps else { return bucket + 1 }
        let exponent = bucket / steps + 3
        return (bucket % steps + steps + 1) << (exponent - 4)
    }
}

extension Duration {
    /// Microseconds, cut to what 32 bits hold.
    var wholeMicroseconds: UInt32 {
        UInt32(clamping: components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000)
    }
}
