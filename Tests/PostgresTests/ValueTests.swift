import Testing

@testable import Postgres

struct ValueTests {
    @Test(
        arguments: [
            ("{}", []), ("{a,b}", ["a", "b"]), ("{NULL,\"NULL\"}", [nil, "NULL"]), ("{\"\"}", [""]),
            ("{\"a,b\",\"\\\"\\\\\"}", ["a,b", "\"\\"]), ("{\u{301}a}", ["\u{301}a"]),
        ] as [(String, [String?])]
    )
    func `array text is read`(text: String, elements: [String?]) {
        #expect(ArrayText.elements(of: text) == elements)
    }

    @Test(arguments: ["", "{", "a", "{{1},{2}}", "[0:1]={1,2}", "{\"a}", "{\"a\\"])
    func `other text is no array`(text: String) {
        #expect(ArrayText.elements(of: text) == nil)
    }

    @Test func `a quote under an accent is still doubled`() {
        #expect(Identifier("a\"\u{301}").quoted.utf8.elementsEqual("\"a\"\"\u{301}\"".utf8))
    }

    @Test func `names in two normal forms are two names`() {
        #expect(Identifier("\u{e9}") != Identifier("e\u{301}"))
        let tables = ["\u{e9}", "e\u{301}"].map { QualifiedName(schema: "s", name: $0) }
        #expect(Set(tables).count == 2)
    }

    @Test func `names are ordered by schema, then by bytes`() {
        let names = [("b", "a"), ("a", "é"), ("a", "z"), ("a", "Z")].map { QualifiedName(schema: $0, name: $1) }
        #expect(names.sorted().map(\.name) == ["Z", "z", "é", "a"])
    }

    @Test func `people read quotes only where they are needed`() {
        #expect(QualifiedName(schema: "public", name: "orders_1").description == "public.orders_1")
        #expect(QualifiedName(schema: "public", name: "Or\"ders").description == "public.\"Or\"\"ders\"")
    }

    @Test func `interpolation quotes by type`() {
        let table = QualifiedName(schema: "s", name: "t")
        #expect(SQL("a -\(-1) \(table) \(literal: "it's") \(LSN(1))").text == "a - -1 \"s\".\"t\" 'it''s' '0/1'")
    }
}
