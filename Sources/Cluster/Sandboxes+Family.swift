/// What was made from what.
extension Sandboxes {
    /// Some sandboxes and all that were made from them, those that were made from another one before it.
    ///
    /// In this order they can be removed: a replica can still drop its slot, and nothing stays that its source's backups were
    /// needed for.
    ///
    /// - Throws: when there is none of a name.
    public func family(of names: [String]) throws -> [Sandbox] {
        let all = list()
        var found: [Sandbox] = []
        // A name that was used again may lead in a circle.
        var seen: Set<String> = []
        func add(_ sandbox: Sandbox) {
            guard seen.insert(sandbox.name).inserted else { return }
            for made in all where made.origin?.sandbox == sandbox.name { add(made) }
            found.append(sandbox)
        }
        for name in names { add(try find(name)) }
        return found
    }
}
