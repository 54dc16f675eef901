import Foundation
import Testing

@testable import Cluster

struct ValueSetTests {
    static func text(_ values: any ValueSet, _ number: UInt64) -> String {
        var buffer = RowBuffer(.text)
        values.append(number, to: &buffer)
        return String(decoding: buffer.bytes, as: UTF8.self)
    }

    struct Named: Sendable, CustomTestStringConvertible {
        let values: any ValueSet
        let testDescription: String
        init(_ title: String, _ values: any ValueSet) { (testDescription, self.values) = (title, values) }
    }

    static let distinct = [
        Named("numbers", DecimalNumbers(from: -50, through: 49_950, places: 2)),
        Named("uuid", RandomUUIDs(seed: 7)), Named("bytes", ByteStrings(seed: 7)),
        Named("bits", BitStrings(length: 20)), Named("hosts", NetworkAddresses(form: .host)),
        Named("networks", NetworkAddresses(form: .network)), Named("hardware", NetworkAddresses(form: .hardware)),
        Named("dates", Dates(first: -30_000, count: 60_000)),
        Named("moments", Moments(first: -5_000_000, count: 10_000_000, hasZone: true)),
        Named("spans", Spans()), Named("json", Documents(form: .json)), Named("codes", Codes(length: 4)),
        Named("email", PlausibleText.values(for: "email", longest: 200)),
        Named("name", PlausibleText.values(for: "name", longest: 200)),
        Named("title", PlausibleText.distinctValues(for: "title", longest: 60)),
        Named("short", PlausibleText.distinctValues(for: "title", longest: 5)),
        Named("arrays", Arrays(elements: DecimalNumbers(from: 0, through: 1_000_000))),
        Named("ranges", DisjointRanges(of: DecimalNumbers(from: 0, through: 10_000_000), isMultirange: false)),
    ]

    @Test(arguments: distinct)
    func `no two numbers have the same value`(one: Named) {
        #expect(one.values.isDistinct)
        let count = min(one.values.count, 20_000)
        // The last ones too, where plain texts get their number.
        let numbers = Array(0..<count) + (one.values.count - count..<one.values.count)
        let texts = Set(Set(numbers).map { Self.text(one.values, $0) })
        #expect(texts.count == Set(numbers).count)
    }

    @Test(
        arguments: ["email", "name", "phone", "address", "title", "slug", "description", "x"],
        [1, 2, 5, 12, 40, 400]
    )
    func `no text is longer than its column`(name: String, longest: Int) {
        for values in [
            PlausibleText.values(for: name, longest: longest),
            PlausibleText.distinctValues(for: name, longest: longest),
        ] {
            for number in 0..<min(values.count, 300) {
                let text = Self.text(values, number)
                #expect((1...longest).contains(text.count), "\(text)")
            }
            let last = Self.text(values, values.count - 1)
            #expect(last.count <= longest, "\(last)")
        }
    }

    @Test(arguments: [
        ("email", "[a-z]+\\.[a-z]+\\d*@example\\.(com|org|net)"), ("customer_email", ".+@example\\..+"),
        ("firstName", "[A-Z][a-z]+"), ("full_name", "[A-Z][a-z]+ [A-Z][a-z]+"), ("phone", "\\+1 555 \\d{3}-\\d{4}"),
        ("product_name", "[A-Z][a-z]+ [a-z]+"), ("telefone", "\\+1 555 .*"), ("country_code", "[A-Z]{2}"),
    ])
    func `texts follow the name of their column`(name: String, form: String) throws {
        let values = PlausibleText.values(for: name, longest: 100)
        let regex = try Regex(form)
        for number in 0..<min(values.usual, 100) {
            let text = Self.text(values, number)
            #expect(text.wholeMatch(of: regex) != nil, "\(text)")
        }
    }

    @Test func `days are those of the calendar`() {
        for (day, text) in [(0, "1970-01-01"), (-1, "1969-12-31"), (11_016, "2000-02-29"), (20_780, "2026-11-23")] {
            var buffer = RowBuffer(.text)
            Dates.append(day, to: &buffer)
            #expect(String(decoding: buffer.bytes, as: UTF8.self) == text)
            #expect(Dates.day(of: text) == day)
        }
        for day in stride(from: -700_000, through: 700_000, by: 97) {
            var buffer = RowBuffer(.text)
            Dates.append(day, to: &buffer)
            #expect(Dates.day(of: String(decoding: buffer.bytes, as: UTF8.self)) == day)
        }
    }

    @Test(arguments: [1, 2, 7, 1000, 999_983, 1 << 20] as [UInt64])
    func `a scatter has each number once`(size: UInt64) {
        let scatter = Scatter(size: size, seed: 42)
        let count = min(size, 100_000)
        let numbers = Set((0..<count).map { scatter.number(at: $0) })
        #expect(numbers.count == Int(count) && numbers.allSatisfy { $0 < size })
    }

    @Test func `skew prefers few, and reaches all`() {
        var numbers = SeededNumbers(seed: 1)
        let choice = Choice.skewed(1, Scatter(size: 100, seed: 1))
        var counts: [UInt64: Int] = [:]
        for row in 0..<100_000 { counts[choice.number(for: UInt64(row), &numbers) ?? 0, default: 0] += 1 }
        let sorted = counts.values.sorted(by: >)
        // Of Zipf's law with 100 ranks the first has about a sixth, twice the second.
        #expect(counts.count == 100 && (12_000...22_000).contains(sorted[0]) && sorted[0] > sorted[1] * 3 / 2)
    }

    @Test(arguments: [
        "^[A-Z]{3}-\\d{4}$", "^[a-z0-9._%+-]+@[a-z0-9.-]+\\.[a-z]{2,}$", "^(red|green|blue)$", "^\\+?[0-9 ]{7,15}$",
        "^[^@ ]+@[^@ ]+$", "^v\\d+(\\.\\d+){2}$", "^[[:alpha:]_][[:alnum:]_]*$",
    ])
    func `texts match the expression of a check`(expression: String) throws {
        let parts = try #require(RegexPattern.parts(of: expression))
        let pattern = TextPattern(parts, isWhole: true)
        let regex = try Regex(
            expression.replacing("[[:alpha:]_]", with: "[A-Za-z_]").replacing("[[:alnum:]_]", with: "\\w")
        )
        for number in 0..<min(pattern.count, 200) {
            let text = Self.text(pattern, number)
            #expect(text.wholeMatch(of: regex) != nil, "\(text)")
        }
    }

    @Test(arguments: ["(?=x)y", "a{", "[z-a]", "é+", "\\1", "a**"])
    func `an expression that is not understood has no texts`(expression: String) {
        #expect(RegexPattern.parts(of: expression) == nil)
    }
}
