import Testing

@testable import Cluster

/// Expressions are those that PostgreSQL 14 to 18 print for what stands in the comment before them.
struct CheckExpressionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let text: String
        let conditions: [CheckExpression.Condition]
        var isUnderstood = true
        var testDescription: String { text }
    }

    static let cases = [
        Case(text: "(price > (0)::numeric)", conditions: [.init(column: "price", wish: .atLeast("0", isOpen: true))]),
        Case(text: "(quantity >= 1)", conditions: [.init(column: "quantity", wish: .atLeast("1", isOpen: false))]),
        Case(text: "(10 > quantity)", conditions: [.init(column: "quantity", wish: .atMost("10", isOpen: true))]),
        Case(text: "(delta > '-5'::integer)", conditions: [.init(column: "delta", wish: .atLeast("-5", isOpen: true))]),
        Case(
            text: "((rating >= 1) AND (rating <= 5))",
            conditions: [
                .init(column: "rating", wish: .atLeast("1", isOpen: false)),
                .init(column: "rating", wish: .atMost("5", isOpen: false)),
            ]
        ),
        Case(
            text: "(status = ANY (ARRAY['new'::text, 'it''s'::text]))",
            conditions: [.init(column: "status", wish: .oneOf(["new", "it's"]))]
        ),
        Case(
            text: "((status)::text = ANY ((ARRAY['new'::character varying, 'paid'::character varying])::text[]))",
            conditions: [.init(column: "status", wish: .oneOf(["new", "paid"]))]
        ),
        Case(
            text: "((kind = 'a'::text) OR (kind = 'b'::text))",
            conditions: [.init(column: "kind", wish: .oneOf(["a", "b"]))]
        ),
        Case(text: "(name <> ''::text)", conditions: [.init(column: "name", wish: .lengthAtLeast(1))]),
        Case(
            text: "(char_length((\"Code \"\"x\"\"\")::text) <= 8)",
            conditions: [.init(column: "Code \"x\"", wish: .lengthAtMost(8))]
        ),
        Case(
            text: "(code ~ '^[A-Z]{3}-\\d+$'::text)",
            conditions: [.init(column: "code", wish: .matches("^[A-Z]{3}-\\d+$"))]
        ),
        Case(
            text: "(born >= '1900-01-01'::date)",
            conditions: [.init(column: "born", wish: .atLeast("1900-01-01", isOpen: false))]
        ),
        Case(
            text: "(at < '2026-01-01 00:00:00+00'::timestamp with time zone)",
            conditions: [.init(column: "at", wish: .atMost("2026-01-01 00:00:00+00", isOpen: true))]
        ),
        Case(text: "(VALUE > 0)", conditions: [.init(column: "VALUE", wish: .atLeast("0", isOpen: true))]),
        Case(text: "(ends > begins)", conditions: [], isUnderstood: false),
        Case(
            text: "((price > (0)::numeric) AND ((discount * price) < (100)::numeric))",
            conditions: [.init(column: "price", wish: .atLeast("0", isOpen: true))],
            isUnderstood: false
        ),
        Case(text: "((a = 1) OR (b = 2))", conditions: [], isUnderstood: false),
        Case(text: "(lower(name) = name)", conditions: [], isUnderstood: false),
        Case(text: "", conditions: [], isUnderstood: false),
        Case(text: "((((", conditions: [], isUnderstood: false),
    ]

    @Test(arguments: cases)
    func `a condition is read as far as it is understood`(one: Case) {
        let expression = CheckExpression(one.text)
        #expect(expression.conditions == one.conditions)
        #expect(expression.isUnderstood == one.isUnderstood)
    }

    @Test func `the value of a domain gets the name of the column, and nothing else does`() {
        let text = CheckExpression.text(
            "((VALUE <> 'VALUE'::text) AND (\"VALUE\" > VALUES) AND f(VALUE))",
            ofDomainOf: "a \"b\""
        )
        #expect(text == "((\"a \"\"b\"\"\" <> 'VALUE'::text) AND (\"VALUE\" > VALUES) AND f(\"a \"\"b\"\"\"))")
    }
}
