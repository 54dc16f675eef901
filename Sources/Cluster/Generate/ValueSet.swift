/// The values that a column may get, each with a number.
///
/// Values are chosen by choosing numbers, so what makes numbers unique makes values unique.
protocol ValueSet: Sendable {
    /// How many there are; their numbers begin with 0.
    var count: UInt64 { get }

    /// How many of them, the first ones, look as people would write them; the others are there so that all can differ.
    var usual: UInt64 { get }

    /// Whether no two numbers have the same value.
    var isDistinct: Bool { get }

    /// Whether no value holds what COPY would read as something else.
    var isPlain: Bool { get }

    /// Adds a value as its type's input function reads it.
    func append(_ number: UInt64, to buffer: inout RowBuffer)
}

extension ValueSet {
    var usual: UInt64 { count }
    var isDistinct: Bool { true }
    var isPlain: Bool { true }
}

/// Values that are given one by one: labels of an enum, true and false, what a check allows.
struct ListedValues: ValueSet {
    let values: [[UInt8]]
    var count: UInt64 { UInt64(values.count) }
    var isPlain: Bool { false }

    /// Takes each text once.
    init(_ texts: [String]) {
        var seen: Set<[UInt8]> = []
        values = texts.map { Array($0.utf8) }.filter { seen.insert($0).inserted }
    }

    func append(_ number: UInt64, to buffer: inout RowBuffer) { buffer.append(values[Int(number)]) }
}

/// Numbers from one to another, with a fixed number of decimal places.
struct DecimalNumbers: ValueSet {
    /// The least one, times ten to the number of places.
    let lower: Int
    let count: UInt64
    let usual: UInt64
    let places: Int

    /// From `lower` to `upper`, both included; numbers up to `usual` are the usual ones.
    ///
    /// All are times ten to the number of places.
    init(from lower: Int, through upper: Int, usualThrough usual: Int? = nil, places: Int = 0) {
        self.lower = lower
        self.places = places
        count = Self.count(from: lower, through: upper)
        self.usual = Self.count(from: lower, through: min(upper, usual ?? upper))
    }

    private static func count(from lower: Int, through upper: Int) -> UInt64 {
        let (span, isOver) = upper.subtractingReportingOverflow(lower)
        return isOver ? .max : UInt64(max(0, span)) &+ 1
    }

    func append(_ number: UInt64, to buffer: inout RowBuffer) {
        let value = lower &+ Int(truncatingIfNeeded: number)
        if value < 0 { buffer.append(UInt8(ascii: "-")) }
        guard places > 0 else { return buffer.append(UInt64(value.magnitude)) }
        let unit = Self.power(of: 10, places)
        buffer.append(UInt64(value.magnitude) / unit)
        buffer.append(UInt8(ascii: "."))
        buffer.append(UInt64(value.magnitude) % unit, digits: places)
    }

    /// A power that 64 bits hold.
    static func power(of base: UInt64, _ exponent: Int) -> UInt64 {
        (0..<exponent).reduce(1) { power, _ in power &* base }
    }
}

/// Keys that look random, and are those of a seed.
struct RandomUUIDs: ValueSet {
    let seed: UInt64
    var count: UInt64 { .max }

    func append(_ number: UInt64, to buffer: inout RowBuffer) {
        // Of each half some bits give way to version and variant; all of them have gone into the other half.
        let high = SeededNumbers.mix(number &+ seed)
        let low = SeededNumbers.mix(high ^ number)
        buffer.appendHex(high >> 32, bytes: 4)
        buffer.append(UInt8(ascii: "-"))
        buffer.appendHex(high >> 16, bytes: 2)
        buffer.append(UInt8(ascii: "-"))
        // Version 4, variant 10 (RFC 9562).
        buffer.appendHex(high & 0x0FFF | 0x4000, bytes: 2)
        buffer.append(UInt8(ascii: "-"))
        buffer.appendHex(low >> 48 & 0x3FFF | 0x8000, bytes: 2)
        buffer.append(UInt8(ascii: "-"))
        buffer.appendHex(low, bytes: 6)
    }
}

/// Short binary strings.
struct ByteStrings: ValueSet {
    let seed: UInt64
    var count: UInt64 { .max }
    // A backslash begins each.
    var isPlain: Bool { false }

    func append(_ number: UInt64, to buffer: inout RowBuffer) {
        let first = SeededNumbers.mix(number &+ seed)
        buffer.append(#"\x"#)
        buffer.appendHex(first, bytes: 8)
        buffer.appendHex(SeededNumbers.mix(first), bytes: Int(first % 8) + 1)
    }
}

/// Strings of bits, all of one length.
struct BitStrings: ValueSet {
    let length: Int
    var count: UInt64 { length >= 64 ? .max : 1 << UInt64(length) }

    func append(_ number: UInt64, to buffer: inout RowBuffer) {
        for place in (0..<length).reversed() {
            buffer.append(place < 64 && number >> UInt64(place) & 1 == 1 ? UInt8(ascii: "1") : UInt8(ascii: "0"))
        }
    }
}

/// Addresses of networks and machines in ranges that are kept for documents and private networks.
struct NetworkAddresses: ValueSet {
    enum Form: Sendable { case host, network, hardware, hardware8 }
    let form: Form

    var count: UInt64 {
        switch form {
        case .host: 1 << 24
        case .network: 1 << 16
        case .hardware, .hardware8: 1 << 40
        }
    }

    func append(_ number: UInt64, to buffer: inout RowBuffer) {
        switch form {
        case .host:
            // 10.0.0.0/8 (RFC 1918).
            buffer.append("10")
            for shift in [16, 8, 0] as [UInt64] {
                buffer.append(UInt8(ascii: "."))
                buffer.append(number >> shift & 255)
            }
        case .network:
            buffer.append("10.")
            buffer.append(number >> 8)
            buffer.append(UInt8(ascii: "."))
            buffer.append(number & 255)
            buffer.append(".0/24")
        case .hardware, .hardware8:
            // The second bit says that somebody has chosen it himself (IEEE 802).
            buffer.append(form == .hardware ? "02" : "02:00:00")
            for shift in [32, 24, 16, 8, 0] as [UInt64] {
                buffer.append(UInt8(ascii: ":"))
                buffer.appendHex(number >> shift, bytes: 1)
            }
        }
    }
}
