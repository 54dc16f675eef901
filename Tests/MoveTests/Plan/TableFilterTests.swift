import Postgres
import Testing

@testable import Move

struct TableFilterTests {
    @Test(arguments: [
        ("orders", "public", "orders", true), ("orders", "shop", "orders", true), ("orders", "public", "order", false),
        ("public.orders", "shop", "orders", false), ("shop.*", "shop", "anything at all", true),
        ("*.orders", "x", "orders", true), ("o?ders", "p", "orders", true), ("o?ders", "p", "oders", false),
        ("*a*b*c", "p", "xaybzc", true), ("*a*b*c", "p", "xaybzcd", false), ("*", "p", "", true),
        ("**", "p", "x", true), ("*ab", "p", "aab", true), ("\"a.b\"", "p", "a.b", true), ("\"*\"", "p", "x", false),
        ("\"s 1\".\"say \"\"hi\"\"\"", "s 1", "say \"hi\"", true), ("?", "p", "🐘", true),
        ("Orders", "p", "orders", false), ("\"a\"\"\u{301}\"", "p", "a\"\u{301}", true),
        ("s.\u{301}r", "s", "\u{301}r", true),
        ("\u{e9}", "p", "e\u{301}", false), ("*\"\u{301}x\"", "p", "\u{301}x", true),
        ("a*", "p", String(repeating: "a", count: 63), true),
    ])
    func `a pattern takes names as it says`(pattern: String, schema: String, name: String, isTaken: Bool) throws {
        let table = QualifiedName(schema: schema, name: name)
        #expect(try TableFilter.Pattern(pattern).matches(table) == isTaken)
    }

    @Test(arguments: ["", "a.b.c", ".a", "a.", "\"a", "."])
    func `what is no pattern is refused`(text: String) {
        #expect(throws: PostgresError.self) { try TableFilter.Pattern(text) }
    }

    @Test func `exclusion wins, and no inclusion is all`() throws {
        let orders = QualifiedName(schema: "public", name: "orders")
        #expect(TableFilter.all.selects(orders))
        #expect(try TableFilter(including: ["o*"], excluding: []).selects(orders))
        #expect(try !TableFilter(including: ["x*"], excluding: []).selects(orders))
        #expect(try !TableFilter(including: ["orders"], excluding: ["*"]).selects(orders))
    }
}
