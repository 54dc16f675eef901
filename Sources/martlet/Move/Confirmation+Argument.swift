public import ArgumentParser
public import Sync

extension Confirmation: ExpressibleByArgument {}
