// One threshold, both signs, one comparator: v - threshold in the first cycle, v + threshold in the second.
// What units that search or divide are with N = 1 (an unsigned one is `parallel` with N = 1).
module signed_fire #(parameter W = 16) (
    input              clk,
    input              start,
    input  [W-1:0]     state,
    input  [W-1:0]     x,
    input  [W-1:0]     threshold,
    output reg         level,
    output reg         negative,
    output reg [W-1:0] residual,
    output reg         done
);
    reg second;
    wire run = start | second;
    wire [W-1:0] now = second ? residual : state + x;
    wire [W:0] difference = second ? {now[W-1], now} + {1'b0, threshold} : {now[W-1], now} - {1'b0, threshold};
    // In the second cycle a sum that is not positive; a first cycle that fired leaves it positive or zero, so it is kept.
    wire reached = second ? ~level & (difference[W] | ~(|difference)) : ~difference[W];

    initial second = 0;
    always @(posedge clk) begin
        done <= second;
        if (run) begin
            second <= ~second;
            level <= (second & level) | reached;
            negative <= second & reached;
            residual <= reached ? difference[W-1:0] : now;
        end
    end
endmodule
