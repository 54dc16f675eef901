/// The numbers that a type holds, and those among them that a column of some name would.
struct NumberRange {
    /// How many decimal places there are.
    private let places: Int
    /// The least and the greatest number, times ten to the number of places.
    private let limits: ClosedRange<Int>

    /// The numbers of a type of the catalog with its modifier.
    init(type: String, modifier: Int) {
        switch type {
        case "int2": (places, limits) = (0, Int(Int16.min)...Int(Int16.max))
        case "int4": (places, limits) = (0, Int(Int32.min)...Int(Int32.max))
        // More than a JavaScript number holds exactly would surprise.
        case "int8": (places, limits) = (0, -(1 << 53)...(1 << 53))
        case "float4": (places, limits) = (2, -9_999_999...9_999_999)
        case "numeric" where modifier >= 4:
            // Precision and scale (numeric.c, `make_numeric_typmod`); the scale has a sign since 15.
            let precision = (modifier - 4) >> 16 & 0xFFFF
            let scale = (((modifier - 4) & 0x7FF) ^ 1024) - 1024
            places = Swift.min(9, Swift.max(0, scale))
            // Of a scale that is longer only so many places are written.
            let digits = Swift.max(0, Swift.min(17, precision - Swift.max(0, scale - places)))
            let greatest = Int(DecimalNumbers.power(of: 10, digits)) - 1
            limits = -greatest...greatest
        default: (places, limits) = (2, -99_999_999_999_999...99_999_999_999_999)
        }
    }

    /// The numbers for a column of this name, within what checks want.
    func values(for column: String, _ conditions: [CheckExpression.Wish]) -> DecimalNumbers {
        let unit = Int(DecimalNumbers.power(of: 10, places))
        let natural = Self.natural(PlausibleText.words(of: column), isWhole: places == 0)
        var (lowest, highest) = (limits.lowerBound, limits.upperBound)
        for condition in conditions {
            switch condition {
            case .atLeast(let text, let isOpen):
                guard let number = scaled(text, .up) else { continue }
                lowest = max(lowest, isOpen && number.isExact ? number.value + 1 : number.value)
            case .atMost(let text, let isOpen):
                guard let number = scaled(text, .down) else { continue }
                highest = min(highest, isOpen && number.isExact ? number.value - 1 : number.value)
            default: break
            }
        }
        let (first, last) = (natural.lowerBound * unit...natural.upperBound * unit).moved(within: lowest, highest)
        return DecimalNumbers(from: first, through: max(first, highest), usualThrough: last, places: places)
    }

    private func scaled(_ text: String, _ rule: FloatingPointRoundingRule) -> (value: Int, isExact: Bool)? {
        if places == 0, let number = Int(text) { return (number, true) }
        guard let number = Double(text) else { return nil }
        let product = number * Double(DecimalNumbers.power(of: 10, places))
        guard product.magnitude < 0x1p62 else { return nil }
        // What is not a whole number only because of binary fractions is one.
        let nearest = product.rounded()
        let isExact = (product - nearest).magnitude < 1e-6 * max(1, nearest.magnitude * 1e-6)
        return (Int(isExact ? nearest : product.rounded(rule)), isExact)
    }

    /// Which numbers people expect under a name.
    private static func natural(_ words: [String], isWhole: Bool) -> ClosedRange<Int> {
        let ranges: [(words: Set<String>, range: ClosedRange<Int>)] = [
            (["age", "idade"], 18...90), (["year", "ano"], 1990...2025), (["month", "mes"], 1...12),
            (["day", "dia", "weekday"], 1...28), (["hour", "hora"], 0...23), (["minute", "second"], 0...59),
            (["rating", "stars", "score", "nota"], 1...5),
            (["percent", "percentage", "discount", "desconto"], 0...100),
            (["quantity", "qty", "quantidade", "copies"], 1...10), (["line", "position", "rank", "level"], 1...20),
            (["lat", "latitude"], -90...90), (["lon", "lng", "long", "longitude"], -180...180),
            (["stock", "inventory", "estoque"], 0...500), (["weight", "height", "width", "length", "peso"], 1...200),
            (["cents", "centavos"], 100...100_000), (["port"], 1024...65_535), (["version", "priority"], 1...9),
            (["price", "amount", "total", "cost", "fee", "balance", "salary", "preco", "valor", "saldo"], 1...2000),
        ]
        return ranges.first { !$0.words.isDisjoint(with: words) }?.range ?? (isWhole ? 1...10_000 : 0...1000)
    }
}
