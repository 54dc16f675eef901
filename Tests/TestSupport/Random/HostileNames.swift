import Postgres

/// Names that programs get wrong: quotes, dots, keywords, other cases of one word, 63 bytes.
///
/// One value per namespace; what it gave it does not give again.
struct HostileNames: Sendable {
    private var taken: Set<Identifier> = []

    private static let pool: [String] = [
        "plain", "Plain", "PLAIN", "two words", "dot.ted", "quo\"te", "it's", "back\\slash", "🦤 emoji", "\u{e9}",
        "e\u{301}",
        "select", "table", "user", "order", "default", "$1", "$$", "%s", "%I", "/*", "--", "; DROP", "1st", "*",
        " leading",
        "trailing ", "tab\there", "new\nline", "{curly}", "(paren)", "a,b", "NULL", "", "\"\"", "日本語", ":name", "@",
        "?",
        "ctid ", "oid", "martlet row", "public", "pg_class", "excluded", "old", "new", "values", "i", "t", "s", "k0",
        "h",
        String(repeating: "x", count: 63), String(repeating: "🐘", count: 15) + "123",
        String(repeating: "\"", count: 63),
        String(repeating: "é", count: 31) + "z", "true", "row", "=", "a:b", "a/b", "#", "&amp;", "<b>", "e", "E'", "U&",
    ].filter { !$0.isEmpty }

    /// A name that was not given yet; plain ones are `stem` and a number.
    mutating func name(_ stem: String, _ random: inout SeededGenerator, hostility: Int = 35) -> Identifier {
        let choice = random.int(0...99)
        if choice < hostility {
            let name = Identifier(random.pick(Self.pool))
            if take(name) { return name }
        } else if choice < hostility + 5,
            let other = taken.sorted(by: { $0.name < $1.name }).randomElement(using: &random)
        {
            let name = Identifier(other.name.uppercased())
            if name.name.utf8.count <= 63, take(name) { return name }
        }
        var number = taken.count
        while !take(Identifier("\(stem)\(number)")) { number += 1 }
        return Identifier("\(stem)\(number)")
    }

    private mutating func take(_ name: Identifier) -> Bool { taken.insert(name).inserted }
}
