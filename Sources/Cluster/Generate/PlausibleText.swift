/// What a text column holds, guessed from its name.
enum PlausibleText {
    /// Texts for a column of this name, of at most `longest` characters and at least `shortest`.
    ///
    /// Where nothing plausible fits these lengths they are codes, or texts cut short.
    static func values(for column: String, longest: Int, shortest: Int = 0) -> any ValueSet {
        let values = values(named: words(of: column), longest: longest)
        if let pattern = values as? TextPattern {
            if pattern.longest <= longest, pattern.shortest >= shortest { return pattern }
            if shortest == 0, pattern.longest <= 3 * longest { return Shortened(texts: pattern, longest: longest) }
        } else if shortest <= 20 {
            // The shortest sentence has five words of three letters.
            return values
        }
        return Codes(length: max(1, min(longest, max(shortest, 8))))
    }

    /// Distinct texts for a column of this name; plausible ones when they are short enough.
    static func distinctValues(for column: String, longest: Int, shortest: Int = 0) -> any ValueSet {
        let values = values(for: column, longest: longest, shortest: shortest)
        if values.isDistinct, values.count > 1 << 20 { return values }
        let title = pattern("{word} {word} {word}")
        if title.longest <= longest, shortest <= title.shortest { return title }
        return Codes(length: max(1, min(longest, max(shortest, 12))))
    }

    /// A name's words: `firstName` and `first_name` are `first` and `name`.
    static func words(of name: String) -> [String] {
        var (words, word, wasSmall) = ([String](), "", false)
        for character in name {
            if !character.isLetter || character.isUppercase && wasSmall {
                if !word.isEmpty { words.append(word.lowercased()) }
                word = ""
            }
            if character.isLetter { word.append(character) }
            wasSmall = character.isLowercase
        }
        return word.isEmpty ? words : words + [word.lowercased()]
    }

    /// Which words of a name mean what; the first line that has one of them counts, English before Portuguese.
    private static let patterns: [(words: [String], pattern: String)] = [
        (["email", "mail", "correio"], "{small-first}.{small-last}{+}@{host}"),
        (["phone", "telephone", "mobile", "fax", "telefone", "celular"], "+1 555 {3}-{4}"),
        (["username", "login", "nickname", "handle", "usuario"], "{small-first}_{small-word}{+}"),
        (["firstname", "forename", "givenname"], "{first}"),
        (["lastname", "surname", "familyname", "sobrenome"], "{last}"),
        (["fullname"], "{first} {last}"),
        (
            ["company", "organization", "organisation", "employer", "vendor", "supplier", "empresa"],
            "{last} {company-end}"
        ),
        (["address", "street", "endereco", "rua", "logradouro"], "{2} {word} {street-end}, {city}"),
        (["city", "town", "cidade"], "{city}"),
        (["zip", "postcode", "zipcode", "postal", "cep"], "{5}"),
        (["country", "pais"], "{country}"),
        (["currency", "moeda"], "{currency}"),
        (["language", "locale", "lang", "idioma"], "{language}"),
        (["color", "colour", "cor"], "{color}"),
        (["timezone", "tz"], "{zone}"),
        (["mime", "mimetype"], "{media-type}"),
        (["url", "uri", "website", "link", "homepage"], "https://{host}/{small-word}/{small-word}{+}"),
        (["domain", "hostname"], "{small-word}-{small-word}{+}.example.com"),
        (["path", "filename", "file"], "/{small-word}/{small-word}/{small-word}{+}.txt"),
        (["slug"], "{small-word}-{small-word}-{small-word}"),
        (["number", "numero"], "{4}-{4}{+}"),
        (["sku", "barcode", "isbn", "ean", "serial"], "{4}-{4}-{4}"),
        (["hash", "checksum", "digest", "token", "secret", "password", "senha"], "{9}{9}{9}"),
        (["code", "reference", "codigo"], "{upper}{upper}-{6}"),
        (["status", "state", "situacao"], "{state}"),
        (["title", "subject", "headline", "titulo", "assunto"], "{Word} {small-word} {small-word}"),
        (["label", "tag", "category", "kind", "type", "group", "categoria", "tipo"], "{small-word}"),
        (["product", "item", "produto"], "{Word} {small-word}"),
        (["name", "nome"], "{first} {last}"),
    ]

    /// What stands for sentences.
    private static let prose: Set<String> = [
        "description", "body", "content", "comment", "comments", "note", "notes", "text", "message", "bio", "summary",
        "remark", "remarks", "reason", "details", "review", "descricao", "texto", "observacao", "mensagem",
        "comentario",
    ]

    /// Whose names are names of things, not of people.
    private static let things: Set<String> = [
        "product", "item", "category", "tag", "group", "project", "event", "role", "file", "table", "column", "brand",
        "team", "department", "channel", "store", "warehouse", "plan", "produto", "categoria", "projeto",
    ]

    private static func values(named words: [String], longest: Int) -> any ValueSet {
        // `first_name` is a first name, although `name` is a word of its own.
        let joined = zip(words, words.dropFirst()).map { $0 + $1 }
        if let found = patterns.prefix(while: { $0.words != ["name", "nome"] }).first(where: { entry in
            entry.words.contains(where: joined.contains)
        }) {
            return pattern(found.pattern)
        }
        if words.contains(where: prose.contains) { return Sentences(longest: min(longest, 400)) }
        if words.last == "name", words.contains(where: things.contains) { return pattern("{Word} {small-word}") }
        if words.contains("country"), words.contains("code") || longest <= 3 { return pattern("{country-code}") }
        if let found = patterns.first(where: { entry in entry.words.contains(where: words.contains) }) {
            return pattern(found.pattern)
        }
        return pattern("{small-word} {small-word}")
    }

    /// Reads `{name}` as a part, `{4}` as a number of four digits, `{+}` as the rest of the number.
    private static func pattern(_ text: String) -> TextPattern {
        var parts: [TextPattern.Part] = []
        var rest = text[...]
        while let open = rest.firstIndex(of: "{"), let close = rest.firstIndex(of: "}") {
            if open > rest.startIndex { parts.append(.literal(Array(rest[..<open].utf8))) }
            let name = String(rest[rest.index(after: open)..<close])
            parts.append(name == "+" ? .rest(after: []) : Int(name).map { .digits($0) } ?? .choice(choices[name] ?? []))
            rest = rest[rest.index(after: close)...]
        }
        if !rest.isEmpty { parts.append(.literal(Array(rest.utf8))) }
        return TextPattern(parts)
    }

    private static let choices: [String: [[UInt8]]] = [
        "first": Words.firstNames, "last": Words.lastNames, "word": Words.plain,
        "small-first": Words.firstNames.map(small), "small-last": Words.lastNames.map(small), "small-word": Words.plain,
        "Word": Words.plain.map { [$0[0] & ~32] + $0[1...] },
        "city": Words.cities, "country": Words.countries, "country-code": Words.countryCodes,
        "currency": Words.currencies, "language": Words.languages, "color": Words.colors, "zone": Words.zones,
        "media-type": Words.mediaTypes, "company-end": Words.companyEnds, "street-end": Words.streetEnds,
        "state": Words.states, "host": Words.mailHosts, "upper": (65...90).map { [$0] },
    ]

    private static func small(_ word: [UInt8]) -> [UInt8] { word.map { (65...90).contains($0) ? $0 | 32 : $0 } }
}
