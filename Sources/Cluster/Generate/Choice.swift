import Foundation

/// Numbers from 0 up to, and without, a size, in an order without a pattern that the eye sees; each once.
struct Scatter: Sendable, Hashable {
    let size: UInt64
    private let factor: UInt64
    private let offset: UInt64

    /// An order that a seed decides, of `size` numbers, which is not 0.
    init(size: UInt64, seed: UInt64) {
        self.size = size
        var numbers = SeededNumbers(seed: seed)
        offset = numbers.next(below: size)
        // Near the golden section of the size, where multiples lie most evenly; without a common divisor no number comes twice.
        var factor = max(1, size.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15).high)
        while Self.commonDivisor(factor, size) != 1 { factor += 1 }
        self.factor = factor % max(1, size)
    }

    /// The number at a place below ``size``.
    func number(at place: UInt64) -> UInt64 {
        guard size > 1 else { return 0 }
        // Both are below the size, so the quotient fits.
        let product = size.dividingFullWidth(factor.multipliedFullWidth(by: place)).remainder
        let (sum, isOver) = product.addingReportingOverflow(offset)
        return isOver || sum >= size ? sum &- size : sum
    }

    private static func commonDivisor(_ a: UInt64, _ b: UInt64) -> UInt64 {
        var (a, b) = (a, b)
        while b != 0 { (a, b) = (b, a % b) }
        return a
    }
}

/// How a value is chosen among those of a ``ValueSet``.
indirect enum Choice: Sendable {
    /// Any of so many, the first ones.
    case among(UInt64)
    /// Few of them often and many of them seldom: the one of rank `r` in proportion to `1 / r^skew` (Zipf's law).
    case skewed(Double, Scatter)
    /// A digit of the row's place in an order that several columns share: none has the same digits again.
    case digit(Scatter, divisor: UInt64, size: UInt64)
    /// One after the other, so many of them.
    case inOrder(UInt64)
    /// The one that a row before this had, or this one; the first row has its own.
    case earlier(Choice)

    /// The number for a row, counted from 0; nil when there are no more.
    func number(for row: UInt64, _ numbers: inout SeededNumbers) -> UInt64? {
        switch self {
        case .among(let count): return numbers.next(below: count)
        case .skewed(let skew, let scatter): return scatter.number(at: Self.rank(skew, scatter.size, numbers.share()))
        case .digit(let scatter, let divisor, let size):
            return row < scatter.size ? scatter.number(at: row) / divisor % size : nil
        case .inOrder(let count): return row < count ? row : nil
        case .earlier(let choice): return choice.number(for: row == 0 ? 0 : numbers.next(below: row), &numbers)
        }
    }

    /// The inverse of the integral of `1 / x^skew` from 1 to `count` + 1, at a share of it.
    private static func rank(_ skew: Double, _ count: UInt64, _ share: Double) -> UInt64 {
        let end = Double(count) + 1
        let place: Double
        if abs(skew - 1) < 1e-9 {
            place = exp(share * log(end))
        } else {
            let power = 1 - skew
            place = pow((pow(end, power) - 1) * share + 1, 1 / power)
        }
        return min(count - 1, UInt64(max(1, place)) - 1)
    }
}

/// One or several columns whose values are chosen together, as those of a foreign key are.
struct Field: Sendable {
    let columns: [TableShape.Column]
    let values: any ValueSet
    var choice: Choice
    /// The share of rows in which it is NULL.
    var nullShare = 0.0

    /// Adds the value for a row; false when there are no more.
    func append(_ row: UInt64, to buffer: inout RowBuffer, _ numbers: inout SeededNumbers) -> Bool {
        if nullShare > 0, numbers.share() < nullShare {
            for place in columns.indices {
                if place > 0 { buffer.endField() }
                buffer.appendNull()
            }
            return true
        }
        guard let number = choice.number(for: row, &numbers) else { return false }
        let start = buffer.count
        values.append(number, to: &buffer)
        if !values.isPlain { buffer.protect(from: start) }
        return true
    }
}
