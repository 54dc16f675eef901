import Testing

@testable import Move

/// Matches names as AWS DMS does.
struct NamePatternTests {
    @Test(arguments: [
        ("%", "", true), ("%", "anything", true), ("DMS%", "DMS_log", true), ("DMS%", "dms_log", false),
        ("a_c", "abc", true), ("a_c", "ac", false), ("a[_]c", "a_c", true), ("a[_]c", "abc", false),
        ("[ab]1", "a1", true), ("[ab]1", "b1", true), ("[ab]1", "c1", false), ("[a-d]", "c", true),
        ("[a-d]", "e", false),
        ("[a-cx]", "x", true), ("[a-]", "-", true), ("[%]", "%", true), ("[%]", "x", false),
        ("%ab%ab", "xabyabzab", true), ("%ab%ab", "xab", false), ("é%", "école", true), ("a%", "\u{1F1E6}a", false),
    ])
    func `a pattern matches`(pattern: String, name: String, isMatch: Bool) throws {
        #expect(try #require(NamePattern(pattern)).matches(name) == isMatch)
    }

    @Test(arguments: ["[", "a[b", "[]", "[d-a]"])
    func `a bracket that is not closed is no pattern`(text: String) {
        #expect(NamePattern(text) == nil)
    }

    @Test(arguments: [
        (MappingRule.Renaming.to("b"), "a", "b"), (.lowercase, "ACTOR", "actor"), (.uppercase, "actor", "ACTOR"),
        (.addPrefix("DMS_"), "a", "DMS_a"), (.removePrefix("Pre_"), "Pre_a", "a"), (.removePrefix("Pre_"), "a", "a"),
        (.replacePrefix("Pre_", with: "New_"), "Pre_a", "New_a"),
        (.replacePrefix("Pre_", with: "New_"), "aPre_", "aPre_"),
        (.addSuffix("_x"), "a", "a_x"), (.removeSuffix("_DMS"), "a_DMS", "a"),
        (.removeSuffix("_DMS"), "_DMSa", "_DMSa"),
        (.replaceSuffix("_a", with: "_b"), "x_a", "x_b"),
    ])
    func `a name becomes another`(renaming: MappingRule.Renaming, old: String, new: String) {
        #expect(renaming.name(for: old) == new)
    }
}
